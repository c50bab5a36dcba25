package org.mobilebertlite.core

import kotlin.math.ln
import kotlin.math.tanh

/**
 * Classes that a model of natural-language inference (NLI) was not trained for, and how it is asked about them.
 *
 * [template] is the hypothesis, with {} in place of a class. With [multiLabel] each class is judged by itself; one class
 * alone always is. [entailment] and [contradiction] are names or numbers of the model's own classes; null: those whose
 * names begin with "entail" and "contra".
 */
public data class ZeroShot(
    val labels: List<String>,
    val template: String = TEMPLATE,
    val multiLabel: Boolean = false,
    val entailment: String? = null,
    val contradiction: String? = null,
) {
    internal val byItself get() = multiLabel || labels.size == 1

    /** What the model is asked about [label]. */
    public fun hypothesis(label: String): String = template.replace(PLACE, label)

    internal fun check() {
        if (PLACE !in template) fail(Problem.BadQuestion("the hypothesis \"$template\" has no {} for the class"))
        if (labels.isEmpty()) fail(Problem.BadQuestion("there are no classes to choose from"))
        if (labels.any { it.isBlank() }) fail(Problem.BadQuestion("a class has no name"))
        if (labels.toSet().size < labels.size) fail(Problem.BadQuestion("a class is given twice"))
    }

    public companion object {
        /** That of transformers' pipeline. */
        public const val TEMPLATE: String = "This example is {}."
        private const val PLACE = "{}"
    }
}

/**
 * The labels of [asked] with their probabilities, the most probable first, from the [outputs] for the hypothesis of each.
 *
 * Each of [outputs] holds `logits` or `probability`; [names] are the model's own classes. Probabilities tell logits but
 * for what all classes have in common, which is taken to be their mean. Throws [ProblemException] where the model's
 * classes do not say which of them is entailment or contradiction, and for NaN.
 */
public fun decodeZeroShot(outputs: List<Map<String, FloatArray>>, names: List<String>, asked: ZeroShot): List<Label> {
    asked.check()
    val logits = outputs.map(::logitsOf)
    val classes = labelNames(names, logits.first().size)
    val entailment = entailmentOf(classes, asked.entailment)
    val scores = if (asked.byItself) {
        val contradiction = contradictionOf(classes, entailment, asked.contradiction)
        DoubleArray(logits.size) { 0.5 * (1.0 + tanh(0.5 * (logits[it][entailment] - logits[it][contradiction]))) }
    } else {
        softmax(DoubleArray(logits.size) { logits[it][entailment] })
    }
    return scores.indices.map { Label(asked.labels[it], scores[it]) }.sortedByDescending { it.probability }
}

/** Throws [ProblemException] where [names], the model's own classes, do not say which of them [asked] needs. */
internal fun checkNames(names: List<String>, asked: ZeroShot) {
    val entailment = entailmentOf(names, asked.entailment)
    if (asked.byItself) contradictionOf(names, entailment, asked.contradiction)
}

private fun logitsOf(outputs: Map<String, FloatArray>): DoubleArray {
    if ("logits" in outputs) return checkedOutput(outputs, "logits").let { raw -> DoubleArray(raw.size) { raw[it].toDouble() } }
    val raw = checkedOutput(outputs, "probability")
    val logs = DoubleArray(raw.size) { ln(maxOf(raw[it].toDouble(), SMALLEST)) }
    val mean = logs.average()
    return DoubleArray(logs.size) { logs[it] - mean }
}

private fun entailmentOf(names: List<String>, said: String?): Int =
    if (said != null) numberOf(names, said)
    else beginning(names, "entail") ?: fail(Problem.NotNli(names))

private fun contradictionOf(names: List<String>, entailment: Int, said: String?): Int {
    val found = (if (said != null) numberOf(names, said) else beginning(names, "contra"))
        ?: (if (names.size == 2) 1 - entailment else null)
    return if (found == null || found == entailment) fail(Problem.NotNli(names)) else found
}

private fun beginning(names: List<String>, start: String): Int? =
    names.indexOfFirst { it.trim().lowercase().startsWith(start) }.takeIf { it >= 0 }

private fun numberOf(names: List<String>, said: String): Int {
    val named = names.indexOfFirst { it.lowercase() == said.lowercase() }
    if (named >= 0) return named
    return said.toIntOrNull()?.takeIf { it in names.indices } ?: fail(Problem.NotNli(names))
}

// The smallest normal number of float32: a probability of 0 has no logarithm.
private const val SMALLEST = 1.1754943508222875e-38
