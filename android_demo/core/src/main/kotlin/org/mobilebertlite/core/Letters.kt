package org.mobilebertlite.core

/**
 * Letters that are being read, those of a word: as UTF-16, with the place in the text that each came from. What goes
 * beyond [longest] characters is counted, but not kept.
 */
internal class Letters(private val longest: Int) {
    var units = CharArray(CAPACITY)
        private set
    var starts = IntArray(CAPACITY)
        private set
    var ends = IntArray(CAPACITY)
        private set

    /** How many [units] there are. */
    var length = 0
        private set
    private var characters = 0
    private var bytes = 0
    private val accents = Accents()

    val isEmpty: Boolean get() = characters == 0

    /** Where they stand in the text. */
    val start: Int get() = starts[0]
    var end = 0
        private set

    /** The reference counts characters (max_input_chars_per_word), the phone clients bytes of UTF-8. */
    fun isTooLong(inBytes: Boolean): Boolean = (if (inBytes) bytes else characters) > longest

    fun clear() {
        length = 0
        characters = 0
        bytes = 0
        accents.clear()
    }

    fun letter(code: Int, from: Int, until: Int) {
        settle()
        put(code, from, until)
    }

    /** An accent that stays (when it [isKept]), or one that goes after it was put into order. */
    fun accent(code: Int, combiningClass: Int, from: Int, until: Int, isKept: Boolean) {
        // One of class 0 is no accent to Unicode: nothing is ordered across it.
        if (combiningClass == 0) return settle()
        accents.add(code, combiningClass, from, until, isKept)
    }

    /** Puts the accents that wait for others among the letters. */
    fun settle() {
        if (accents.hasKept) accents.inOrder { code, from, until -> put(code, from, until) }
        accents.clear()
    }

    override fun toString() = String(units, 0, length)

    private fun put(code: Int, from: Int, until: Int) {
        characters++
        bytes += if (code < 0x80) 1 else if (code < 0x800) 2 else if (code < 0x10000) 3 else 4
        end = until
        if (characters > longest) return
        if (code >= 0x10000) unit(Character.highSurrogate(code), from, until)
        unit(if (code < 0x10000) code.toChar() else Character.lowSurrogate(code), from, until)
    }

    private fun unit(letter: Char, from: Int, until: Int) {
        if (length == units.size) grow()
        units[length] = letter
        starts[length] = from
        ends[length++] = until
    }

    private fun grow() {
        units = units.copyOf(2 * length)
        starts = starts.copyOf(2 * length)
        ends = ends.copyOf(2 * length)
    }

    private companion object {
        // Few words are longer.
        const val CAPACITY = 32
    }
}
