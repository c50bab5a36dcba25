package org.mobilebertlite.core

/**
 * One sequence of S tokens as a model reads it: `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`, then padding.
 * Every array has S elements.
 */
public class Features internal constructor(
    public val ids: IntArray,
    /** 1 for tokens, 0 for padding. */
    public val mask: IntArray,
    /** 1 for the second text and its [SEP], 0 elsewhere. */
    public val segmentIds: IntArray,
    /** Where each token of the last text stands in it, in UTF-16 units; -1 for all that is not of that text. */
    public val starts: IntArray,
    /** Exclusive ends, as [starts]. */
    public val ends: IntArray,
    /** As [starts], of the whole word that each token is part of. */
    public val wordStarts: IntArray,
    /** As [ends], of the whole word that each token is part of. */
    public val wordEnds: IntArray,
    /** Tokens of the last text for which no other window offers more context. */
    public val maxContext: BooleanArray,
) {
    public val length: Int get() = ids.size

    /** Number of tokens that are not padding. */
    public val used: Int get() = mask.sum()

    /** The first [length] positions, for a shorter signature that still holds every token. */
    public fun trimmed(length: Int): Features =
        if (length == this.length) this
        else Features(
            ids.copyOf(length), mask.copyOf(length), segmentIds.copyOf(length),
            starts.copyOf(length), ends.copyOf(length), wordStarts.copyOf(length), wordEnds.copyOf(length),
            maxContext.copyOf(length),
        )

    /** The model's inputs by name. */
    public fun inputs(): Map<String, IntArray> = mapOf("ids" to ids, "mask" to mask, "segment_ids" to segmentIds)
}

/**
 * One text, or a pair, cut and padded to [length] tokens. Too long texts lose tokens at their ends, the longer text
 * first (`_truncate_seq_pair` of google-research/bert), or with [keepPair] the first alone, unless the pair leaves it no
 * room. Throws [ProblemException] for a text without any token.
 */
public fun packTexts(
    tokenizer: Tokenizer, text: String, pair: String?, length: Int, keepPair: Boolean = false,
): Features {
    val first = encodeNamed(tokenizer, "text", text)
    if (pair == null) {
        val kept = minOf(first.size, maxOf(length - 2, 0))
        return join(tokenizer, null, Stretch(first, 0, kept), length)
    }
    val second = encodeNamed(tokenizer, "second text", pair)
    val room = maxOf(length - 3, 0)
    if (keepPair && second.size < room) {
        val kept = minOf(first.size, room - second.size)
        return join(tokenizer, first.ids.copyOf(kept), Stretch(second, 0, second.size), length)
    }
    val firstKept = minOf(first.size, maxOf(room - second.size, (room + 1) / 2))
    val secondKept = minOf(second.size, maxOf(room - first.size, room / 2))
    return join(tokenizer, first.ids.copyOf(firstKept), Stretch(second, 0, secondKept), length)
}

/**
 * The question with each stretch of the context that fits into [length] tokens.
 *
 * The question is cut to [maxQuery] tokens; stretches start [stride] tokens apart (or their own length, if that is
 * less). Source: `convert_examples_to_features` in run_squad.py of google-research/bert. Throws [ProblemException] for
 * an empty question or context, and where there is no room for the context.
 */
public fun questionWindows(
    tokenizer: Tokenizer, question: String, context: String, length: Int, stride: Int = 128, maxQuery: Int = 64,
): List<Features> {
    require(stride > 0 && maxQuery > 0) { "stride $stride, maxQuery $maxQuery: both must be 1 or more" }
    val asked = encodeNamed(tokenizer, "question", question)
    val query = asked.ids.copyOf(minOf(asked.size, maxQuery))
    val room = length - query.size - 3
    val read = encodeNamed(tokenizer, "text", context)
    if (room < 1) fail(Problem.QuestionTooLong(query.size, length))
    return windows(tokenizer, query, read, room, stride, length)
}

/** A text in windows of [length] tokens that start [stride] apart. Throws [ProblemException] for one without words. */
public fun textWindows(tokenizer: Tokenizer, text: String, length: Int, stride: Int = 128): List<Features> {
    require(length >= 3) { "length $length: at least 3 is needed" }
    return windows(tokenizer, null, encodeNamed(tokenizer, "text", text), length - 2, stride, length)
}

/** Tokens [from] until [to] of a text, and which of them have their most context here (all of them by default). */
private class Stretch(val tokens: Tokens, val from: Int, val to: Int, val owns: (Int) -> Boolean = { true }) {
    /** Where the word that [token] is part of begins and ends; it may reach beyond the stretch. */
    fun wordStart(token: Int): Int {
        var first = token
        while (first > 0 && tokens.words[first - 1] == tokens.words[token]) first--
        return tokens.starts[first]
    }

    fun wordEnd(token: Int): Int {
        var last = token
        while (last + 1 < tokens.size && tokens.words[last + 1] == tokens.words[token]) last++
        return tokens.ends[last]
    }
}

private fun encodeNamed(tokenizer: Tokenizer, name: String, text: String): Tokens {
    val tokens = tokenizer.encode(text)
    if (tokens.size == 0) fail(Problem.EmptyText(name))
    return tokens
}

private fun windows(
    tokenizer: Tokenizer, query: IntArray?, tokens: Tokens, room: Int, stride: Int, length: Int,
): List<Features> {
    val starts = ArrayList<Int>()
    var start = 0
    while (start + room < tokens.size) {
        starts.add(start)
        start += minOf(room, stride)
    }
    starts.add(start)
    val owners = owners(starts, room, tokens.size)
    return starts.mapIndexed { i, from ->
        join(tokenizer, query, Stretch(tokens, from, minOf(from + room, tokens.size)) { owners[it] == i }, length)
    }
}

/**
 * For each token the window in which it stands farthest from both ends: the smaller of the two distances plus 0.01
 * times the window's length, the earlier window where they are equal (`_check_is_max_context` of run_squad.py).
 */
private fun owners(starts: List<Int>, room: Int, tokens: Int): IntArray {
    val best = DoubleArray(tokens) { -1.0 }
    val owners = IntArray(tokens)
    for (i in starts.indices) {
        val from = starts[i]
        val to = minOf(from + room, tokens)
        for (token in from until to) {
            val score = minOf(token - from, to - 1 - token) + 0.01 * (to - from)
            if (score > best[token]) {
                best[token] = score
                owners[token] = i
            }
        }
    }
    return owners
}

/** Ids between special words. Where [length] is too short for the special words themselves, the sequence is cut. */
private fun join(tokenizer: Tokenizer, first: IntArray?, last: Stretch, length: Int): Features {
    val ids = IntArray(length) { tokenizer.padId }
    val segments = IntArray(length)
    val starts = IntArray(length) { -1 }
    val ends = IntArray(length) { -1 }
    val wordStarts = IntArray(length) { -1 }
    val wordEnds = IntArray(length) { -1 }
    val maxContext = BooleanArray(length)
    var used = 0
    fun put(id: Int, segment: Int) {
        if (used == length) return
        ids[used] = id
        segments[used++] = segment
    }
    put(tokenizer.clsId, 0)
    if (first != null) {
        for (id in first) put(id, 0)
        put(tokenizer.sepId, 0)
    }
    val segment = if (first == null) 0 else 1
    for (token in last.from until last.to) {
        starts[used] = last.tokens.starts[token]
        ends[used] = last.tokens.ends[token]
        wordStarts[used] = last.wordStart(token)
        wordEnds[used] = last.wordEnd(token)
        maxContext[used] = last.owns(token)
        put(last.tokens.ids[token], segment)
    }
    put(tokenizer.sepId, segment)
    val mask = IntArray(length) { if (it < used) 1 else 0 }
    return Features(ids, mask, segments, starts, ends, wordStarts, wordEnds, maxContext)
}
