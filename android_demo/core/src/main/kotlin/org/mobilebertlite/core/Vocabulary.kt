package org.mobilebertlite.core

import java.nio.ByteBuffer
import java.nio.CharBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/**
 * The words of a WordPiece vocabulary; a word's place is its id. Where one stands twice its last place counts.
 *
 * Throws [ProblemException] when one of [PAD], [UNK], [CLS] and [SEP] is missing.
 */
public class Vocabulary(public val words: List<String>) {
    internal val trie = WordTrie(words)

    public val padId: Int = required("[PAD]")
    public val unkId: Int = required("[UNK]")
    public val clsId: Int = required("[CLS]")
    public val sepId: Int = required("[SEP]")

    /** -1 where the vocabulary has none. */
    public val maskId: Int = words.lastIndexOf("[MASK]")

    private fun required(word: String): Int {
        val id = words.lastIndexOf(word)
        if (id < 0) fail(Problem.BadVocabulary("$word is missing among ${words.size} words"))
        return id
    }

    public companion object {
        /** Reads `vocab.txt`: UTF-8, one word a line, in the order of the ids. Throws [ProblemException]. */
        public fun parse(data: ByteBuffer): Vocabulary {
            val decoder = Charsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)
            val text = try {
                decoder.decode(data.duplicate())
            } catch (_: CharacterCodingException) {
                fail(Problem.BadVocabulary("it is not UTF-8"))
            }
            return Vocabulary(lines(text))
        }

        /** Lines end with a newline (or CR LF) only: words may hold other characters that end lines elsewhere. */
        internal fun lines(text: CharBuffer): List<String> {
            val lines = ArrayList<String>()
            var start = 0
            val end = if (text.endsWith('\n')) text.length - 1 else text.length
            while (start <= end) {
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
