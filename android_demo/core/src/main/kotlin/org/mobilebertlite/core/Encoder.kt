package org.mobilebertlite.core

/** One text on its way through a [Tokenizer]: character by character into words, and words into pieces. */
internal class Encoder(private val tokenizer: Tokenizer, private val text: String) {
    private val table = tokenizer.table
    private val phone = tokenizer.behaviour == Behaviour.PHONE
    private val tokens = TokenList(text.length / 4 + 8)
    private val word = Word()

    fun encode(): Tokens {
        // The phone clients read a text as a C string: up to the first NUL.
        val stop = if (phone) text.indexOf('\u0000') else -1
        val end = if (stop < 0) text.length else stop
        var at = 0
        while (at < end) {
            val letter = text[at]
            at += when {
                letter == '[' && special(at) -> specialLength
                !letter.isSurrogate() -> read(letter.code, at, at + 1)
                letter.isHighSurrogate() && at + 1 < end && text[at + 1].isLowSurrogate() ->
                    read(Character.toCodePoint(letter, text[at + 1]), at, at + 2)
                else -> 1
            }
        }
        finishWord()
        return tokens.toTokens()
    }

    /** Takes the character [code], which stands at [start] until [end]; returns how many units that are. */
    private fun read(code: Int, start: Int, end: Int): Int {
        val entry = table.entry(code)
        when (CharacterTable.kind(entry)) {
            CharacterTable.WORD -> letter(code, entry, start, end)
            CharacterTable.SPACE -> finishWord()
            CharacterTable.REMOVED -> Unit
            CharacterTable.ACCENT -> word.accent(code, CharacterTable.combiningClass(entry), start, end, isKept = false)
            CharacterTable.ALONE -> alone(code, start, end)
            else -> for (one in table.becomes(entry)) read(one, start, end)
        }
        return end - start
    }

    private fun letter(code: Int, entry: Int, start: Int, end: Int) {
        val combiningClass = CharacterTable.combiningClass(entry)
        when {
            combiningClass > 0 -> word.accent(code, combiningClass, start, end, isKept = true)
            tokenizer.decomposes && code in Hangul.SYLLABLES -> Hangul.decompose(code) { word.letter(it, start, end) }
            else -> word.letter(code + CharacterTable.value(entry), start, end)
        }
    }

    private fun alone(code: Int, start: Int, end: Int) {
        finishWord()
        word.letter(code, start, end)
        finishWord()
    }

    private var specialLength = 0

    /** Whether a special word stands at [at]; then it is taken, and [specialLength] is its length. */
    private fun special(at: Int): Boolean {
        for ((name, id) in tokenizer.special) {
            if (!text.startsWith(name, at)) continue
            finishWord()
            tokens.add(id, at, at + name.length)
            specialLength = name.length
            return true
        }
        return false
    }

    /** Greedy longest match from the left (WordPiece); a word that does not come out even is one [UNK]. */
    private fun finishWord() {
        word.settle()
        if (word.isEmpty) return
        val before = tokens.size
        if (word.isTooLong(phone) || !pieces()) {
            tokens.size = before
            tokens.add(tokenizer.vocabulary.unkId, word.start, word.end)
        }
        word.clear()
    }

    private fun pieces(): Boolean {
        val trie = tokenizer.vocabulary.trie
        var from = 0
        while (from < word.length) {
            var node = if (from == 0) WordTrie.BEGINNING else WordTrie.CONTINUATION
            var id = -1
            var end = from
            var at = from
            while (at < word.length) {
                node = trie.child(node, word.letters[at++])
                if (node < 0) break
                if (trie.id(node) >= 0) {
                    id = trie.id(node)
                    end = at
                }
            }
            if (id < 0) return false
            tokens.add(id, word.starts[from], word.ends[end - 1])
            from = end
        }
        return true
    }
}
