package org.mobilebertlite.core

/** The word that is being read: its letters as UTF-16, and the place in the text that each came from. */
internal class Word {
    val letters = CharArray(CAPACITY)
    val starts = IntArray(CAPACITY)
    val ends = IntArray(CAPACITY)

    /** Units of [letters]; what goes beyond [LONGEST] characters is counted, but not kept. */
    var length = 0
        private set
    private var characters = 0
    private var bytes = 0
    private var last = 0
    private val accents = Accents()

    val isEmpty: Boolean get() = characters == 0

    /** Where the word stands in the text. */
    val start: Int get() = starts[0]
    val end: Int get() = if (characters > LONGEST) last else ends[length - 1]

    /** The reference counts characters (max_input_chars_per_word), the phone clients bytes of UTF-8. */
    fun isTooLong(inBytes: Boolean): Boolean = (if (inBytes) bytes else characters) > LONGEST

    fun clear() {
        length = 0
        characters = 0
        bytes = 0
        accents.clear()
    }

    fun letter(code: Int, from: Int, until: Int) {
        settle()
        count(code, until)
        if (characters <= LONGEST) put(code, from, until)
    }

    /** An accent that stays (when it [isKept]), or one that goes after it was put into order. */
    fun accent(code: Int, combiningClass: Int, from: Int, until: Int, isKept: Boolean) {
        // One of class 0 is no accent to Unicode: nothing is ordered across it.
        if (combiningClass == 0) return settle()
        if (isKept) count(code, until)
        if (characters <= LONGEST) accents.add(code, combiningClass, from, until, isKept)
    }

    /** Puts the accents that wait for others into the word. */
    fun settle() {
        if (accents.hasKept) accents.inOrder { code, from, until -> put(code, from, until) }
        accents.clear()
    }

    private fun count(code: Int, until: Int) {
        characters++
        bytes += if (code < 0x80) 1 else if (code < 0x800) 2 else if (code < 0x10000) 3 else 4
        last = until
    }

    private fun put(code: Int, from: Int, until: Int) {
        if (code >= 0x10000) unit(Character.highSurrogate(code), from, until)
        unit(if (code < 0x10000) code.toChar() else Character.lowSurrogate(code), from, until)
    }

    private fun unit(letter: Char, from: Int, until: Int) {
        letters[length] = letter
        starts[length] = from
        ends[length++] = until
    }

    private companion object {
        const val LONGEST = 100

        // Each character may take two units.
        const val CAPACITY = 2 * LONGEST
    }
}
