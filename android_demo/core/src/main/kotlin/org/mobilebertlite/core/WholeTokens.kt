package org.mobilebertlite.core

/**
 * Tokens that are found whole in a text: the leftmost, and of those that begin together the longest. One that must be
 * a single word and is none still covers what it reads.
 *
 * Source: `AddedVocabulary::find_matches` of Hugging Face `tokenizers`. Throws [ProblemException] for two that read the
 * same: which of them is found, the reference leaves to chance.
 */
internal class WholeTokens(tokens: List<Token>) {
    class Token(val text: String, val id: Int, val how: AddedToken)

    // By the first letter, the longest first.
    private val byHead = tokens.sortedByDescending { it.text.length }.groupBy { it.text[0] }

    // Whether a letter with these last bits begins any, so that most are seen not to.
    private val heads = BooleanArray(HEADS).apply { byHead.keys.forEach { set(it.code and HEADS - 1, true) } }
    private val edges by lazy { CharacterTable.edges }

    init {
        tokens.groupBy { it.text }.values.find { it.size > 1 }?.let { (first, second) ->
            fail(Problem.BadTokenizer("its added token ${second.how.content} reads as ${first.how.content} does"))
        }
    }

    val isEmpty: Boolean get() = byHead.isEmpty()

    /** Gives [found] the id and place of each token, and [between] what stands between them, in the text's order. */
    inline fun split(
        text: String, between: (from: Int, to: Int) -> Unit, found: (id: Int, from: Int, to: Int) -> Unit,
    ) {
        var done = 0
        var at = if (isEmpty) text.length else 0
        while (at < text.length) {
            val token = longestAt(text, at)
            if (token == null) {
                at++
                continue
            }
            val begin = at
            at += token.text.length
            if (token.how.singleWord && !isSingle(text, begin, at)) continue
            val from = if (token.how.leftStrip) maxOf(beforeSpaces(text, begin), done) else begin
            if (done < from) between(done, from)
            done = if (token.how.rightStrip) afterSpaces(text, at) else at
            found(token.id, from, done)
        }
        if (done < text.length) between(done, text.length)
    }

    fun longestAt(text: String, at: Int): Token? {
        if (!heads[text[at].code and HEADS - 1]) return null
        return byHead[text[at]]?.firstOrNull { text.startsWith(it.text, at) }
    }

    fun isSingle(text: String, from: Int, to: Int): Boolean =
        !(from > 0 && isKind(text.codePointBefore(from), CharacterTable.INSIDE)) &&
            !(to < text.length && isKind(text.codePointAt(to), CharacterTable.INSIDE))

    /** Where the spaces before [at] begin. No space takes two units. */
    fun beforeSpaces(text: String, at: Int): Int {
        var from = at
        while (from > 0 && isKind(text[from - 1].code, CharacterTable.SPACE)) from--
        return from
    }

    fun afterSpaces(text: String, at: Int): Int {
        var to = at
        while (to < text.length && isKind(text[to].code, CharacterTable.SPACE)) to++
        return to
    }

    private fun isKind(code: Int, kind: Int): Boolean = CharacterTable.kind(edges.entry(code)) == kind

    private companion object {
        const val HEADS = 128
    }
}
