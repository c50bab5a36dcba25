package org.mobilebertlite.core

import java.nio.ByteBuffer
import java.nio.CharBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/** The words of a WordPiece vocabulary; a word's place is its id. Where one stands twice its last place counts. */
public class Vocabulary(public val words: List<String>) {
    /** The ids of those among [wanted] that there are. */
    internal fun placesOf(wanted: List<String>): Map<String, Int> {
        val names = wanted.toHashSet()
        val found = HashMap<String, Int>()
        for (id in words.indices) if (words[id] in names) found[words[id]] = id
        return found
    }

    public companion object {
        /**
         * Reads `vocab.txt`: UTF-8, one word a line, in the order of the ids; blank lines at its end are no words.
         * Throws [ProblemException].
         */
        public fun parse(data: ByteBuffer): Vocabulary {
            val decoder = Charsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)
            val text = try {
                decoder.decode(data.duplicate())
            } catch (_: CharacterCodingException) {
                fail(Problem.BadVocabulary("it is not UTF-8"))
            }
            val words = lines(text, Budget.WORDS) ?: fail(Problem.BadVocabulary("it has more than ${Budget.WORDS} words"))
            return Vocabulary(words.dropLastWhile { it.isEmpty() })
        }

        /**
         * Lines end with a newline (or CR LF) only: words may hold other characters that end lines elsewhere. A byte
         * order mark is no part of the first. Null where there are more than [most].
         */
        internal fun lines(text: CharBuffer, most: Int): List<String>? {
            val lines = ArrayList<String>()
            var start = if (text.startsWith('\ufeff')) 1 else 0
            val end = if (text.endsWith('\n')) text.length - 1 else text.length
            while (start <= end) {
                if (lines.size == most) return null
                var stop = start
                while (stop < end && text[stop] != '\n') stop++
                val cut = if (stop > start && text[stop - 1] == '\r') stop - 1 else stop
                lines.add(text.subSequence(start, cut).toString())
                start = stop + 1
            }
            return lines
        }
    }
}
