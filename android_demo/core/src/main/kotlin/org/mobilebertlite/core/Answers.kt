package org.mobilebertlite.core

import kotlin.math.exp

/** One answer. The null answer ("the text does not say") has the text "" and start = end = -1. */
public data class Answer(
    val text: String,
    /** UTF-16 units of the context, end exclusive. */
    val start: Int,
    val end: Int,
    /** Start logit plus end logit. */
    val score: Double,
    /** Softmax of the score over all answers returned together. */
    val probability: Double = 0.0,
) {
    val isNull: Boolean get() = start < 0
}

/** How answers are looked for. Throws IllegalArgumentException where it is made for what cannot be followed. */
public data class AnswerOptions(
    /** How many answers are returned, and how many starts and ends of each window are combined. */
    val count: Int = 20,
    /** Longest answer, in tokens. */
    val maxTokens: Int = 30,
    /** The null answer must score so much more than the best span to be given. */
    val nullThreshold: Double = 0.0,
    /** Whether there may be no answer (models trained on SQuAD v2). */
    val allowNull: Boolean = true,
    /** Tokens between the windows over a long context. */
    val stride: Int = 128,
    /** Tokens that a question is cut to. */
    val maxQuery: Int = 64,
    /** Answers are whole words, and none shares a word with a better one; otherwise they are tokens, and may overlap. */
    val wholeWords: Boolean = true,
) {
    init {
        require(count > 0 && maxTokens > 0) { "count $count, maxTokens $maxTokens: both must be 1 or more" }
        require(stride > 0 && maxQuery > 0) { "stride $stride, maxQuery $maxQuery: both must be 1 or more" }
        require(!nullThreshold.isNaN()) { "nullThreshold $nullThreshold: it must be a number" }
    }
}

/**
 * The best answers of all [windows]: the chosen one first, the others by descending score.
 *
 * `outputs[i]` holds `start_logits` and `end_logits`, as many as `windows[i]` has tokens. Without
 * [AnswerOptions.allowNull] the null answer is returned only, and alone, when no span is legal. Source:
 * `write_predictions` in run_squad.py of google-research/bert, but answers are cut from [context] where their words
 * stand, or their tokens without [AnswerOptions.wholeWords]. Throws [ProblemException] for logits that are missing, misshapen or not finite.
 */
public fun decodeAnswers(
    windows: List<Features>, outputs: List<Map<String, FloatArray>>, context: String,
    options: AnswerOptions = AnswerOptions(),
): List<Answer> {
    val (spans, none) = candidates(windows, outputs, options)
    val answers = distinct(spans, context, options, if (options.allowNull) none else null)
    return chosenFirst(withProbabilities(answers.ifEmpty { listOf(none) }), options.nullThreshold)
}

/** Every legal span, without its text, by descending score; and the null answer. */
internal fun candidates(
    windows: List<Features>, outputs: List<Map<String, FloatArray>>, options: AnswerOptions,
): Pair<List<Answer>, Answer> {
    require(windows.isNotEmpty() && windows.size == outputs.size) { "${outputs.size} outputs, ${windows.size} windows" }
    var nullScore = Double.POSITIVE_INFINITY
    val spans = ArrayList<Answer>()
    for ((window, output) in windows.zip(outputs)) {
        val start = checkedOutput(output, "start_logits", window.length)
        val end = checkedOutput(output, "end_logits", window.length)
        // The window least convinced that there is no answer speaks for all.
        nullScore = minOf(nullScore, start[0].toDouble() + end[0])
        collect(window, start, end, options, spans)
    }
    // Stable: of equal scores the earlier stays first.
    spans.sortByDescending { it.score }
    return spans to Answer("", -1, -1, nullScore)
}

/** Legal spans between the best starts and ends, without their texts. */
private fun collect(
    window: Features, start: FloatArray, end: FloatArray, options: AnswerOptions, into: MutableList<Answer>,
) {
    val lasts = best(end, options.count)
    val (starts, ends) = if (options.wholeWords) window.wordStarts to window.wordEnds else window.starts to window.ends
    for (first in best(start, options.count)) {
        if (!window.maxContext[first]) continue
        for (last in lasts) {
            if (last < first || last - first >= options.maxTokens || window.starts[last] < 0) continue
            into.add(Answer("", starts[first], ends[last], start[first].toDouble() + end[last]))
        }
    }
}

/** Places of the [count] greatest values, the greatest first; of equal ones the earlier. */
internal fun best(values: FloatArray, count: Int): IntArray {
    val found = IntArray(minOf(count, values.size))
    var size = 0
    for (place in values.indices) {
        if (size == found.size && !(values[place] > values[found[size - 1]])) continue
        var at = if (size < found.size) size++ else size - 1
        while (at > 0 && values[place] > values[found[at - 1]]) {
            found[at] = found[at - 1]
            at--
        }
        found[at] = place
    }
    return found
}

/** The best answers with different texts, and [none] in any case; of whole words, those that overlap a better one not. */
private fun distinct(spans: List<Answer>, context: String, options: AnswerOptions, none: Answer?): List<Answer> {
    val byText = LinkedHashMap<String, Answer>()
    for (span in spans) {
        if (options.wholeWords && byText.values.any { it.start < span.end && span.start < it.end }) continue
        // A span wins a tie with the null answer.
        if (none != null && none.score > span.score) byText.getOrPut("") { none }
        if (byText.size >= options.count) break
        val text = context.substring(span.start, span.end)
        byText.getOrPut(text) { span.copy(text = text) }
    }
    if (none != null) byText.getOrPut("") { none }
    return byText.values.toList()
}

private fun withProbabilities(answers: List<Answer>): List<Answer> {
    val greatest = answers.maxOf { it.score }
    val total = answers.sumOf { exp(it.score - greatest) }
    return answers.map { it.copy(probability = exp(it.score - greatest) / total) }
}

/** The best span first, unless the null answer's score exceeds its by more than [threshold]. */
private fun chosenFirst(answers: List<Answer>, threshold: Double): List<Answer> {
    val none = answers.find { it.isNull }
    val best = answers.filterNot { it.isNull }.maxByOrNull { it.score } ?: return answers
    val chosen = if (none != null && none.score - best.score > threshold) none else best
    return listOf(chosen) + answers.filter { it !== chosen }
}
