package org.mobilebertlite.core

/** One text on its way through a [Tokenizer]: character by character into words, and words into pieces. */
internal class Encoder(private val tokenizer: Tokenizer, private val text: String) : Receiver {
    private val phone = tokenizer.behavior == Behavior.PHONE
    private val tokens = TokenList(text.length / 4 + 8)
    private var words = 0
    override val letters = Letters(tokenizer.longestWord)

    // The normalized text that is being cut, where there is one: it knows its places in the text itself.
    private var normal: Letters? = null

    fun encode(): Tokens {
        // The phone clients read a text as a C string: up to the first NUL.
        val read = if (phone) text.substringBefore('\u0000') else text
        tokenizer.whole.split(read, { from, to -> piece(read, from, to) }, ::word)
        return tokens.toTokens()
    }

    /** Between tokens that are matched in the text as it is. */
    private fun piece(read: String, from: Int, to: Int) {
        if (tokenizer.wholeNormal.isEmpty) return cut(read, from, to)
        val normal = NormalText(tokenizer.settings.cleanText)
        tokenizer.normalizer.read(read, from, to, normal)
        this.normal = normal.letters
        // Normalizing once more changes nothing.
        val again = normal.letters.toString()
        tokenizer.wholeNormal.split(again, { start, end -> cut(again, start, end) }, ::word)
        this.normal = null
    }

    private fun cut(read: String, from: Int, to: Int) {
        tokenizer.normalizer.read(read, from, to, this)
        finishWord()
    }

    override fun space(code: Int, start: Int, end: Int) = finishWord()

    override fun alone(code: Int, start: Int, end: Int, isApart: Boolean) {
        finishWord()
        letters.letter(code, start, end)
        finishWord()
    }

    /** A token that is a word by itself. */
    private fun word(id: Int, start: Int, end: Int) {
        add(id, start, end)
        words++
    }

    private fun add(id: Int, start: Int, end: Int) {
        val places = normal
        if (places == null) tokens.add(id, start, end, words)
        else tokens.add(id, places.starts[start], places.ends[end - 1], words)
    }

    /** Greedy longest match from the left (WordPiece); a word that does not come out even is one [UNK]. */
    private fun finishWord() {
        letters.settle()
        if (letters.isEmpty) return
        val before = tokens.size
        if (letters.isTooLong(phone) || !pieces()) {
            tokens.size = before
            add(tokenizer.unkId, letters.start, letters.end)
        }
        words++
        letters.clear()
    }

    private fun pieces(): Boolean {
        val trie = tokenizer.trie
        var from = 0
        while (from < letters.length) {
            var node = if (from == 0) WordTrie.BEGINNING else trie.continuation
            var id = -1
            var end = from
            var at = from
            while (at < letters.length) {
                node = trie.child(node, letters.units[at++])
                if (node < 0) break
                if (trie.id(node) >= 0) {
                    id = trie.id(node)
                    end = at
                }
            }
            if (id < 0) return false
            add(id, letters.starts[from], letters.ends[end - 1])
            from = end
        }
        return true
    }
}
