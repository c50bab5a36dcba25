package org.mobilebertlite.core

/** Who is given a normalized text, character by character. Letters go into [letters]. */
internal interface Receiver {
    val letters: Letters

    fun space(code: Int, start: Int, end: Int)

    /** A word of one character; [isApart] where spaces stand around it. */
    fun alone(code: Int, start: Int, end: Int, isApart: Boolean)
}

/** What a tokenizer makes of characters before it cuts words. */
internal class Normalizer(private val table: CharacterTable, private val decomposes: Boolean) {
    /** Gives [into] the characters of [text] from [from] until [to]. */
    fun read(text: String, from: Int, to: Int, into: Receiver) {
        var at = from
        while (at < to) {
            val letter = text[at]
            at += when {
                !letter.isSurrogate() -> read(letter.code, at, at + 1, into)
                letter.isHighSurrogate() && at + 1 < to && text[at + 1].isLowSurrogate() ->
                    read(Character.toCodePoint(letter, text[at + 1]), at, at + 2, into)
                else -> 1
            }
        }
        into.letters.settle()
    }

    /** Takes the character [code], which stands at [start] until [end]; returns how many units that are. */
    private fun read(code: Int, start: Int, end: Int, into: Receiver): Int {
        val entry = table.entry(code)
        when (CharacterTable.kind(entry)) {
            CharacterTable.WORD -> letter(code, entry, start, end, into.letters)
            CharacterTable.SPACE -> into.space(code, start, end)
            CharacterTable.REMOVED -> Unit
            CharacterTable.ACCENT ->
                into.letters.accent(code, CharacterTable.combiningClass(entry), start, end, isKept = false)
            CharacterTable.ALONE -> into.alone(code, start, end, isApart = false)
            CharacterTable.APART -> into.alone(code, start, end, isApart = true)
            else -> for (one in table.becomes(entry)) read(one, start, end, into)
        }
        return end - start
    }

    private fun letter(code: Int, entry: Int, start: Int, end: Int, into: Letters) {
        val combiningClass = CharacterTable.combiningClass(entry)
        when {
            combiningClass > 0 -> into.accent(code, combiningClass, start, end, isKept = true)
            decomposes && code in Hangul.SYLLABLES -> Hangul.decompose(code) { into.letter(it, start, end) }
            else -> into.letter(code + CharacterTable.value(entry), start, end)
        }
    }
}

/** A whole text in its normalized form. [cleans]: all spaces are one. */
internal class NormalText(private val cleans: Boolean) : Receiver {
    override val letters = Letters(Int.MAX_VALUE)

    override fun space(code: Int, start: Int, end: Int) = letters.letter(if (cleans) ' '.code else code, start, end)

    override fun alone(code: Int, start: Int, end: Int, isApart: Boolean) {
        if (isApart) letters.letter(' '.code, start, end)
        letters.letter(code, start, end)
        if (isApart) letters.letter(' '.code, start, end)
    }
}
