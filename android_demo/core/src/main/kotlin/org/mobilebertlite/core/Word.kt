package org.mobilebertlite.core

/** The word that is being read: its letters as UTF-16, and the place in the text that each came from. */
internal class Word {
    val letters = CharArray(CAPACITY)
    val starts = IntArray(CAPACITY)
    val ends = IntArray(CAPACITY)

    /** Units of [letters]; what goes beyond [LONGEST] characters is counted, but not kept. */
    var length = 0
        private set

    /** Where the word stands in the text. */
    var start = 0
        private set
    var end = 0
        private set
    private var characters = 0
    private var bytes = 0

    // Accents after this unit are put into order.
    private var ordered = 0

    val isEmpty: Boolean get() = characters == 0

    /** The reference counts characters (max_input_chars_per_word), the phone clients bytes of UTF-8. */
    fun isTooLong(inBytes: Boolean): Boolean = (if (inBytes) bytes else characters) > LONGEST

    fun clear() {
        length = 0
        characters = 0
        bytes = 0
        ordered = 0
    }

    /** What comes next is not moved before what is here. */
    fun keepOrder() {
        ordered = length
    }

    fun add(code: Int, combiningClass: Int, from: Int, until: Int) {
        if (characters++ == 0) start = from
        end = until
        bytes += if (code < 0x80) 1 else if (code < 0x800) 2 else if (code < 0x10000) 3 else 4
        if (characters > LONGEST) return
        if (code < 0x10000) unit(code.toChar(), from, until)
        else {
            unit(Character.highSurrogate(code), from, until)
            unit(Character.lowSurrogate(code), from, until)
        }
        if (combiningClass == 0) ordered = length else order()
    }

    private fun unit(letter: Char, from: Int, until: Int) {
        letters[length] = letter
        starts[length] = from
        ends[length++] = until
    }

    /** Canonical order of the accents since [ordered]: by class, and as they came within one. Places stay. */
    private fun order() {
        val accents = String(letters, ordered, length - ordered)
        val sorted = accents.codePoints().boxed().toArray { arrayOfNulls<Int>(it) }
        sorted.sortBy { CharacterTable.combiningClass(CharacterTable.lower.entry(it!!)) }
        var at = ordered
        for (code in sorted) at += Character.toChars(code!!, letters, at)
    }

    private companion object {
        const val LONGEST = 100

        // Each character may take two units.
        const val CAPACITY = 2 * LONGEST
    }
}

/** Korean syllables, which decompose by arithmetic. Source: The Unicode Standard, section 3.12. */
internal object Hangul {
    val SYLLABLES = 0xac00..0xd7a3
    private const val VOWELS = 21
    private const val TAILS = 28

    inline fun decompose(syllable: Int, take: (Int) -> Unit) {
        val index = syllable - 0xac00
        take(0x1100 + index / (VOWELS * TAILS))
        take(0x1161 + index / TAILS % VOWELS)
        if (index % TAILS != 0) take(0x11a7 + index % TAILS)
    }
}
