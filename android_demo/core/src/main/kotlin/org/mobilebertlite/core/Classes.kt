package org.mobilebertlite.core

import kotlin.math.exp
import kotlin.math.tanh

/** A class and how probable the model finds it. */
public data class Label(val name: String, val probability: Double)

/** What a regression model predicts. */
public data class Prediction(val name: String, val value: Double)

/** What a model's class outputs are. */
public enum class ProblemType { SINGLE_LABEL, MULTI_LABEL, REGRESSION }

/**
 * Every class with its probability, the most probable first.
 *
 * [outputs] holds `probability`, or `logits` where [logits] says so. Without [labels] the classes are LABEL_0, LABEL_1,
 * … as in transformers. Throws [ProblemException] when there are labels, but not as many as classes, and for NaN.
 */
public fun decodeLabels(
    outputs: Map<String, FloatArray>, labels: List<String>, type: ProblemType = ProblemType.SINGLE_LABEL,
    logits: Boolean = false,
): List<Label> {
    val values = classValues(outputs, type, logits)
    val names = labelNames(labels, values.size)
    return values.indices.map { Label(names[it], values[it]) }.sortedByDescending { it.probability }
}

/** The numbers of a regression model in its own order. Throws as [decodeLabels]. */
public fun decodePredictions(outputs: Map<String, FloatArray>, labels: List<String>): List<Prediction> {
    val values = classValues(outputs, ProblemType.REGRESSION, logits = true)
    val names = labelNames(labels, values.size)
    return values.indices.map { Prediction(names[it], values[it]) }
}

private fun classValues(outputs: Map<String, FloatArray>, type: ProblemType, logits: Boolean): DoubleArray {
    val isRaw = logits || type == ProblemType.REGRESSION
    val raw = checkedOutput(outputs, if (isRaw) "logits" else "probability")
    val values = DoubleArray(raw.size) { raw[it].toDouble() }
    return when {
        !isRaw || type == ProblemType.REGRESSION -> values
        type == ProblemType.MULTI_LABEL -> DoubleArray(raw.size) { 0.5 * (1.0 + tanh(0.5 * values[it])) }
        else -> softmax(values)
    }
}

internal fun softmax(values: DoubleArray): DoubleArray {
    val greatest = values.max()
    val powers = DoubleArray(values.size) { exp(values[it] - greatest) }
    val total = powers.sum()
    return DoubleArray(values.size) { powers[it] / total }
}
