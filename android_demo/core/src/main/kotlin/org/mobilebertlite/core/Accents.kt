package org.mobilebertlite.core

/**
 * The accents behind one letter, for canonical order: by combining class, and as they came within one.
 *
 * As in the reference, the first in order has the place of the first that was read, and so on. Source: The Unicode
 * Standard, section 3.11.
 */
internal class Accents {
    class Accent(val code: Int, val combiningClass: Int, val start: Int, val end: Int, val isKept: Boolean)

    val read = ArrayList<Accent>()

    /** Whether there is one that stays, without which order does not matter. */
    var hasKept = false
        private set

    fun clear() {
        if (read.isEmpty()) return
        read.clear()
        hasKept = false
    }

    fun add(code: Int, combiningClass: Int, start: Int, end: Int, isKept: Boolean) {
        read.add(Accent(code, combiningClass, start, end, isKept))
        hasKept = hasKept || isKept
    }

    /** Gives [take] the accents that stay, and their places. */
    inline fun inOrder(take: (code: Int, start: Int, end: Int) -> Unit) {
        read.sortedBy { it.combiningClass }.forEachIndexed { i, accent ->
            if (accent.isKept) take(accent.code, read[i].start, read[i].end)
        }
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
