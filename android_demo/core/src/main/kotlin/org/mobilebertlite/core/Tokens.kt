package org.mobilebertlite.core

/**
 * The tokens of one text, without [CLS] and [SEP].
 *
 * Token `i` has the id `ids[i]` and stands at `starts[i]` until `ends[i]` (exclusive) of the text, in UTF-16 units, as
 * [String.substring] and Android's spans count. It is part of word `words[i]` of the text, counted from 0: words are what
 * the text was cut into before it was cut into pieces. The arrays belong to the receiver.
 */
public class Tokens(
    public val ids: IntArray,
    public val starts: IntArray,
    public val ends: IntArray,
    public val words: IntArray = IntArray(ids.size) { it },
) {
    public val size: Int get() = ids.size
}

/** Tokens while they are collected. */
internal class TokenList(capacity: Int) {
    private var ids = IntArray(capacity)
    private var starts = IntArray(capacity)
    private var ends = IntArray(capacity)
    private var words = IntArray(capacity)

    /** May be set to a smaller value, which takes tokens back. */
    var size = 0

    fun add(id: Int, start: Int, end: Int, word: Int) {
        if (size == ids.size) grow()
        ids[size] = id
        starts[size] = start
        ends[size] = end
        words[size] = word
        size++
    }

    fun toTokens() = Tokens(ids.copyOf(size), starts.copyOf(size), ends.copyOf(size), words.copyOf(size))

    private fun grow() {
        val capacity = ids.size + (ids.size shr 1) + 8
        ids = ids.copyOf(capacity)
        starts = starts.copyOf(capacity)
        ends = ends.copyOf(capacity)
        words = words.copyOf(capacity)
    }
}
