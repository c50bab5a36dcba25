package org.mobilebertlite.core

/** A token that is matched whole in a text, before the text is cut into words. */
public data class AddedToken(
    /** As it stands in the vocabulary. */
    val content: String,
    /** Only where no letter or digit stands beside it. */
    val singleWord: Boolean = false,
    /** Takes the white space before it along. */
    val leftStrip: Boolean = false,
    /** Takes the white space after it along. */
    val rightStrip: Boolean = false,
    /** Looked for in the normalized text (and itself normalized), instead of in the text as it is. */
    val normalized: Boolean = false,
    val special: Boolean = false,
    /** Whether it may also come out of a longer word, as the other words of the vocabulary. */
    val word: Boolean = false,
)

/**
 * What a checkpoint says of its tokenizer, besides the words. Defaults are those of the uncased models.
 *
 * The fields are those of `mobilebert_lite/text/tokenizer_settings.py`, and mean what they do in `BertNormalizer`,
 * `WordPiece` and `AddedToken` of Hugging Face `tokenizers`.
 */
public data class TokenizerSettings(
    /** Lower-case, for all of Unicode. */
    val lowerCase: Boolean = true,
    /** Decompose characters and drop their accents. */
    val stripAccents: Boolean = true,
    /** Drop control characters, and make one space of every kind of white space. */
    val cleanText: Boolean = true,
    /** Every Chinese character is a word of its own. */
    val chineseCharacters: Boolean = true,
    val padToken: String = "[PAD]",
    val unkToken: String = "[UNK]",
    val clsToken: String = "[CLS]",
    val sepToken: String = "[SEP]",
    val maskToken: String = "[MASK]",
    /** What stands before a piece that continues a word. */
    val continuingPrefix: String = "##",
    /** Characters; a longer word becomes one [unkToken]. */
    val longestWord: Int = 100,
    val addedTokens: List<AddedToken> = emptyList(),
) {
    /** All tokens that are matched whole: the added ones, and the special ones that are not among them. */
    internal fun wholeTokens(): List<AddedToken> {
        val named = addedTokens.mapTo(HashSet()) { it.content }
        val plain = listOf(padToken, unkToken, clsToken, sepToken, maskToken).distinct().filter { it !in named }
        return plain.map { AddedToken(it, special = true, word = true) } + addedTokens
    }

    public companion object {
        /** Of the uncased models, or of the cased ones, which keep accents. */
        public fun of(lowerCase: Boolean): TokenizerSettings =
            TokenizerSettings(lowerCase = lowerCase, stripAccents = lowerCase)
    }
}
