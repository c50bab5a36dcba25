package org.mobilebertlite.core

/**
 * What a tokenizer does to each character, read from `characters.txt`.
 *
 * The JVM and every version of Android have Unicode tables of their own; the file holds those of the reference, and
 * `scripts/character_table.py`, which writes it, describes its lines.
 */
internal class CharacterTable private constructor(
    private val pages: CharArray,
    private val entries: IntArray,
    private val becomes: Array<IntArray>,
) {
    /** What happens to [code]: kind, combining class and value, to be taken apart by the functions below. */
    fun entry(code: Int): Int = entries[(pages[code ushr PAGE_BITS].code shl PAGE_BITS) or (code and PAGE_MASK)]

    /** The characters that one of kind [MAPPED] becomes. */
    fun becomes(entry: Int): IntArray = becomes[value(entry)]

    companion object {
        /** Part of a word, as the character `value` further. */
        const val WORD = 0
        const val SPACE = 1
        const val REMOVED = 2

        /** Removed, after its class has had a say in the order of accents. */
        const val ACCENT = 3

        /** A word by itself. */
        const val ALONE = 4
        const val MAPPED = 5

        /** A word by itself with a space on either side of it. */
        const val APART = 6

        /** Part of a word, to a token beside it. */
        const val INSIDE = 7

        fun kind(entry: Int): Int = entry and 7

        /** Canonical combining class of an accent, 0 of all else. */
        fun combiningClass(entry: Int): Int = (entry ushr 3) and 0xff

        fun value(entry: Int): Int = entry shr 11

        val phone: CharacterTable by lazy { read(listOf("phone")) }

        /** What stands beside tokens that are matched whole: of kind [SPACE], [INSIDE] or [WORD]. */
        val edges: CharacterTable by lazy { read(listOf("edges")) }
        private val made = HashMap<List<String>, CharacterTable>()

        /** That of the reference. */
        fun of(settings: TokenizerSettings): CharacterTable {
            val form = when {
                settings.lowerCase && settings.stripAccents -> "both"
                settings.lowerCase -> "lower"
                settings.stripAccents -> "strip"
                else -> null
            }
            // Each lies over those before it.
            val sections = listOfNotNull(
                "words", "chinese".takeIf { settings.chineseCharacters }, form, "clean".takeIf { settings.cleanText },
            )
            return synchronized(made) { made.getOrPut(sections) { read(sections) } }
        }

        private const val PAGE_BITS = 7
        private const val PAGE_MASK = (1 shl PAGE_BITS) - 1
        private const val CODES = 0x110000

        // From the root, for an obfuscator gives classes other packages and leaves resources where they are.
        private const val RESOURCE = "/org/mobilebertlite/core/characters.txt"

        private fun read(sections: List<String>): CharacterTable {
            val stream = checkNotNull(CharacterTable::class.java.getResourceAsStream(RESOURCE)) {
                "$RESOURCE is missing among the resources; package those of core too"
            }
            val lines = stream.bufferedReader().use { it.readLines() }
            val builder = Builder()
            for (section in sections) {
                lines.subList(lines.indexOf("[$section]") + 1, lines.size).takeWhile { !it.startsWith("[") }
                    .forEach(builder::read)
            }
            return builder.build()
        }
    }

    /** Fills the pages of 128 characters; equal to all those that nothing is said about is page 0. */
    private class Builder {
        private val pages = CharArray(CODES shr PAGE_BITS)
        private val full = ArrayList<IntArray>().apply { add(IntArray(PAGE_MASK + 1)) }

        // Of one entry throughout: entry → page. Several places may share one.
        private val whole = HashMap<Int, Int>()
        private val shared = HashSet<Int>()
        private val becomes = ArrayList<IntArray>()

        fun read(line: String) {
            val words = line.split(' ')
            when (words[0]) {
                "space" -> ranges(words, 1, SPACE)
                "removed" -> ranges(words, 1, REMOVED)
                "alone" -> ranges(words, 1, ALONE)
                "apart" -> ranges(words, 1, APART)
                "inside" -> ranges(words, 1, INSIDE)
                "accent" -> ranges(words, 2, ACCENT or (words[1].toInt() shl 3))
                "order" -> ranges(words, 2, WORD or (words[1].toInt() shl 3))
                "map" -> for (i in 2 until words.size) map(words[1].toInt(16) + i - 2, words[i])
                else -> error("characters.txt: $line")
            }
        }

        fun build() = CharacterTable(
            pages,
            IntArray(full.size shl PAGE_BITS) { full[it shr PAGE_BITS][it and PAGE_MASK] },
            becomes.toTypedArray(),
        )

        private fun ranges(words: List<String>, from: Int, entry: Int) {
            for (i in from until words.size) {
                val dash = words[i].indexOf('-')
                val first = words[i].substring(0, if (dash < 0) words[i].length else dash).toInt(16)
                fill(first, if (dash < 0) first else words[i].substring(dash + 1).toInt(16), entry)
            }
        }

        private fun map(code: Int, text: String) {
            if ('+' !in text) {
                val other = text.toInt(16)
                // Only a word's letter can be said as a distance.
                if (kind(at(other)) == WORD && at(other) == 0) return set(code, (other - code) shl 11)
            }
            set(code, (becomes.size shl 11) or MAPPED)
            becomes.add(text.split('+').map { it.toInt(16) }.toIntArray())
        }

        private fun sharedPage(entry: Int): Int {
            full.add(IntArray(PAGE_MASK + 1) { entry })
            shared.add(full.size - 1)
            return full.size - 1
        }

        private fun at(code: Int) = full[pages[code shr PAGE_BITS].code][code and PAGE_MASK]

        private fun set(code: Int, entry: Int) {
            val page = code shr PAGE_BITS
            if (pages[page].code == 0 || pages[page].code in shared) {
                full.add(full[pages[page].code].clone())
                pages[page] = (full.size - 1).toChar()
            }
            full[pages[page].code][code and PAGE_MASK] = entry
        }

        private fun fill(first: Int, last: Int, entry: Int) {
            var code = first
            while (code <= last) {
                val page = code shr PAGE_BITS
                if (code and PAGE_MASK == 0 && code + PAGE_MASK <= last) {
                    pages[page] = whole.getOrPut(entry) { sharedPage(entry) }.toChar()
                    code += PAGE_MASK + 1
                } else {
                    set(code++, entry)
                }
            }
        }
    }
}
