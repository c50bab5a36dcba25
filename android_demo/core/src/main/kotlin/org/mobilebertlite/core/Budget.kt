package org.mobilebertlite.core

/**
 * What reading a stranger's file may cost. Offsets may point at one place a million times over: so what is charged is
 * each reading, not each byte of the file. A MobileBERT takes a few kilobytes of it, and neither memory nor time grow
 * with the file. Throws [ProblemException] when nothing is left.
 */
internal class Budget(private var left: Long = TABLES) {
    /** For [steps] bytes, numbers or entries that are about to be read. */
    fun spend(steps: Int) {
        left -= steps
        if (left < 0) damaged("its parts refer to each other again and again")
    }

    companion object {
        /** Bytes and entries of the tables, the description among them. */
        const val TABLES: Long = 4L shl 20

        /** Characters of the description (JSON). */
        const val DESCRIPTION: Int = 1 shl 20

        /** How deep objects and lists stand inside each other there. */
        const val NESTING: Int = 100

        /** Bytes that a file of the archive unpacks to. */
        const val UNPACKED: Int = 4 shl 20

        /** Words of a vocabulary, and their letters together: the largest that there is has 119,547, and a million. */
        const val WORDS: Int = 500_000
        const val LETTERS: Int = (2 shl 20) - 1

        /** Class names, and added tokens. */
        const val LABELS: Int = 100_000
        const val ADDED_TOKENS: Int = 10_000

        /** Letters of a name that is shown, or a task. */
        const val NAME: Int = 100

        /** Names that are listed for a person. */
        const val LISTED: Int = 20
    }
}
