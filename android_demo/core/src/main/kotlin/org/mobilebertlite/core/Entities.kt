package org.mobilebertlite.core

/** A word of a text with its label. */
public data class TaggedWord(
    /** UTF-16 units of the text, end exclusive. */
    val start: Int,
    val end: Int,
    val label: String,
    val probability: Double,
)

/** Words that belong together. */
public data class Entity(
    val label: String,
    val text: String,
    /** UTF-16 units of the text, end exclusive. */
    val start: Int,
    val end: Int,
    /** Mean over its words. */
    val probability: Double,
)

/**
 * Every word of the text in its order, by the label of its first token.
 *
 * `outputs[i]` holds `logits`, a row of classes for each token of `windows[i]`. Throws [ProblemException] when there
 * are labels, but not as many as classes, and for NaN.
 */
public fun decodeWords(
    windows: List<Features>, outputs: List<Map<String, FloatArray>>, tokenizer: Tokenizer, labels: List<String>,
): List<TaggedWord> {
    require(windows.size == outputs.size) { "${outputs.size} outputs, ${windows.size} windows" }
    val words = ArrayList<TaggedWord>()
    for ((window, output) in windows.zip(outputs)) {
        val logits = checkedOutput(output, "logits")
        val classes = logits.size / window.length
        if (classes == 0 || logits.size % window.length != 0) {
            fail(Problem.BadOutput("logits", "holds ${logits.size} numbers, not some for each of ${window.length} tokens"))
        }
        val names = labelNames(labels, classes)
        for (place in 0 until window.length) {
            if (!window.maxContext[place]) continue
            val last = words.lastOrNull()
            val piece = tokenizer.vocabulary.words[window.ids[place]]
            if (last?.end == window.starts[place] && piece.startsWith(tokenizer.settings.continuingPrefix)) {
                words[words.size - 1] = last.copy(end = window.ends[place])
                continue
            }
            val row = softmax(DoubleArray(classes) { logits[place * classes + it].toDouble() })
            val best = row.indices.maxBy { row[it] }
            words.add(TaggedWord(window.starts[place], window.ends[place], names[best], row[best]))
        }
    }
    return words
}

/** The entities of [words], in the order of the text; words outside of any are left out. */
public fun decodeEntities(text: String, words: List<TaggedWord>): List<Entity> {
    val found = ArrayList<Entity>()
    var kind = ""
    var first = 0
    fun finish(past: Int) {
        if (kind.isEmpty()) return
        val own = words.subList(first, past)
        val start = own.first().start
        val end = own.last().end
        found.add(Entity(kind, text.substring(start, end), start, end, own.sumOf { it.probability } / own.size))
        kind = ""
    }
    for (i in words.indices) {
        val tag = Tag.of(words[i].label)
        if (tag.begins || tag.kind != kind) finish(i)
        if (tag.kind.isNotEmpty() && kind.isEmpty()) {
            kind = tag.kind
            first = i
        }
    }
    finish(words.size)
    return found
}

/**
 * B-x begins an entity of kind x, I-x continues an x before it and begins one otherwise (conlleval), O is outside of
 * any (kind ""). A label without B- or I- is a kind by itself, and goes on as long as it repeats.
 */
private class Tag(val kind: String, val begins: Boolean) {
    companion object {
        fun of(label: String): Tag = when {
            label == "O" -> Tag("", false)
            label.length > 2 && label.startsWith("B-") -> Tag(label.substring(2), true)
            label.length > 2 && label.startsWith("I-") -> Tag(label.substring(2), false)
            else -> Tag(label, false)
        }
    }
}
