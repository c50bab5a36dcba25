package org.mobilebertlite.core

/** Whose tokenizer is followed. */
public enum class Behavior {
    /** Hugging Face's, token by token: what checkpoints are trained with. */
    REFERENCE,

    /**
     * That of the TFLite Task Library and of MediaPipe, which lower-cases ASCII only (whatever the vocabulary), strips
     * no accents, removes no control characters, and knows no special words in texts.
     */
    PHONE,
}

/**
 * Texts into ids of a WordPiece vocabulary, as [settings] say. Safe to use from several threads.
 *
 * As in the reference, a special or added token that stands literally in a text ("[SEP]") becomes its id. Halves of
 * surrogate pairs, which the reference cannot be given, are left out. With [Behavior.PHONE] only the names of the
 * special tokens count of [settings].
 *
 * Throws [ProblemException] when a special token (all but the mask) or an added one is not in the vocabulary, and for
 * settings that cannot be followed exactly.
 */
public class Tokenizer(
    public val vocabulary: Vocabulary,
    public val settings: TokenizerSettings = TokenizerSettings(),
    public val behavior: Behavior = Behavior.REFERENCE,
) {
    private val wholeTokens = settings.wholeTokens()
    private val ids = vocabulary.placesOf(wholeTokens.map { it.content })

    public val padId: Int = required(settings.padToken)
    public val unkId: Int = required(settings.unkToken)
    public val clsId: Int = required(settings.clsToken)
    public val sepId: Int = required(settings.sepToken)

    /** -1 where the vocabulary has none. */
    public val maskId: Int = ids[settings.maskToken] ?: -1

    private val isPhone = behavior == Behavior.PHONE
    internal val normalizer = Normalizer(
        if (isPhone) CharacterTable.phone else CharacterTable.of(settings), settings.stripAccents && !isPhone,
    )

    // Looked for in the text as it is, and in its normalized form.
    internal val whole: WholeTokens
    internal val wholeNormal: WholeTokens
    internal val longestWord = if (isPhone) LONGEST_PHONE_WORD else settings.longestWord
    internal val trie: WordTrie

    init {
        for ((content, same) in settings.addedTokens.groupBy { it.content }) {
            required(content)
            if (same.size > 1) fail(Problem.BadTokenizer("its added token $content is there twice"))
        }
        val (normalized, plain) = wholeTokens.filter { !isPhone && it.content in ids }.partition { it.normalized }
        whole = WholeTokens(plain.map { WholeTokens.Token(it.content, ids.getValue(it.content), it) })
        wholeNormal = WholeTokens(normalized.map { WholeTokens.Token(normalForm(it), ids.getValue(it.content), it) })
        val apart = settings.addedTokens.filter { !it.word && it.content != settings.unkToken }.map { it.content }
        trie = if (isPhone) WordTrie(vocabulary.words) else
            WordTrie(vocabulary.words, settings.continuingPrefix, apart.toHashSet())
    }

    /** Ids of [text], and where each token stands in it. */
    public fun encode(text: String): Tokens = Encoder(this, text).encode()

    private fun required(token: String): Int =
        ids[token] ?: fail(Problem.BadVocabulary("$token is missing among ${vocabulary.words.size} words"))

    private fun normalForm(token: AddedToken): String {
        val normal = NormalText(settings.cleanText)
        normalizer.read(token.content, 0, token.content.length, normal)
        // The reference would find it everywhere.
        if (normal.letters.isEmpty) fail(Problem.BadTokenizer("nothing is left of its added token ${token.content}"))
        return normal.letters.toString()
    }

    private companion object {
        // Bytes (kDefaultMaxBytesPerToken).
        const val LONGEST_PHONE_WORD = 100
    }
}
