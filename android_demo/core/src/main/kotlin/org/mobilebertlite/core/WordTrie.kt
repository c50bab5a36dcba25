package org.mobilebertlite.core

/**
 * The words of a vocabulary but for those [left] out, letter by letter (UTF-16 units).
 *
 * Words are under [BEGINNING]; those that begin with [prefix] also under [continuation], without it. An edge is one
 * entry of an open hash table: parent (22 bits), letter (16 bits) and child (22 bits) in a Long.
 */
internal class WordTrie(
    words: List<String>, private val prefix: String = "##", private val left: Set<String> = emptySet(),
) {
    /** Where a word goes on. Without a prefix its pieces are the words themselves. */
    val continuation = if (prefix.isEmpty()) BEGINNING else BEGINNING + 1

    // Punctuation is a word by itself: none begins with a longer prefix that has any.
    private val isPrefixApart = prefix.length > 1 && prefix.any { it in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" }
    private var edges = LongArray(tableSize(words.sumOf { letters(it) }))
    private val mask = edges.size - 1
    private var ids = IntArray(1024) { -1 }
    private var nodes = 2

    init {
        for (id in words.indices) add(words[id], id)
    }

    /** The node that [letter] leads to from [node], or -1. */
    fun child(node: Int, letter: Char): Int {
        val key = key(node, letter)
        var place = place(key)
        while (true) {
            val edge = edges[place]
            if (edge == 0L) return -1
            if (edge ushr NODE_BITS == key) return (edge and NODE_MASK).toInt()
            place = (place + 1) and mask
        }
    }

    /** The id of the word that ends at [node], or -1. */
    fun id(node: Int): Int = ids[node]

    /** How many edges [word] takes at most. */
    private fun letters(word: String): Long {
        val continues = word.startsWith(prefix)
        val whole = if (!continues || !isPrefixApart) word.length else 0
        return whole.toLong() + if (continues) word.length - prefix.length else 0
    }

    private fun add(word: String, id: Int) {
        if (word in left) return
        val continues = word.startsWith(prefix)
        if (!continues || !isPrefixApart) put(BEGINNING, word, 0, id)
        if (continues) put(continuation, word, prefix.length, id)
    }

    private fun put(root: Int, word: String, from: Int, id: Int) {
        var node = root
        for (i in from until word.length) node = childOrNew(node, word[i])
        ids[node] = id
    }

    private fun childOrNew(node: Int, letter: Char): Int {
        val found = child(node, letter)
        if (found >= 0) return found
        if (nodes > NODE_MASK) fail(Problem.BadVocabulary("it has more than $NODE_MASK different beginnings of words"))
        if (nodes == ids.size) ids = ids.copyOf(2 * nodes).also { it.fill(-1, nodes) }
        val key = key(node, letter)
        var place = place(key)
        while (edges[place] != 0L) place = (place + 1) and mask
        edges[place] = (key shl NODE_BITS) or nodes.toLong()
        return nodes++
    }

    private fun key(node: Int, letter: Char): Long = (node.toLong() shl 16) or letter.code.toLong()

    private fun place(key: Long): Int = ((key * SPREAD) ushr 32).toInt() and mask

    companion object {
        const val BEGINNING = 0
        private const val NODE_BITS = 22
        private const val NODE_MASK = (1L shl NODE_BITS) - 1

        // The odd number nearest to 2^64 / golden ratio: spreads keys that differ little (multiplicative hashing).
        private const val SPREAD = -0x61c8864680b583ebL

        /** A power of two of which at most half is used: there are no more edges than letters. */
        private fun tableSize(letters: Long): Int {
            if (letters > Budget.LETTERS) fail(Problem.BadVocabulary("its words have $letters letters"))
            return Integer.highestOneBit(maxOf(letters.toInt(), 512)) shl 2
        }
    }
}
