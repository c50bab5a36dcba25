package org.mobilebertlite.core

/** Whose tokenizer is followed. */
public enum class Behaviour {
    /** Hugging Face's, token by token: what checkpoints are trained with. */
    REFERENCE,

    /**
     * That of the TFLite Task Library and of MediaPipe, which lower-cases ASCII only (whatever the vocabulary), strips
     * no accents, removes no control characters, and knows no special words in texts.
     */
    PHONE,
}

/**
 * Texts into ids of a WordPiece vocabulary. Safe to use from several threads.
 *
 * With [lowerCase] texts are lower-cased and lose their accents (the uncased models); without, neither. As in the
 * reference, a special word that stands literally in a text ("[SEP]") becomes its id. Halves of surrogate pairs, which
 * the reference cannot be given, are left out.
 */
public class Tokenizer(
    public val vocabulary: Vocabulary,
    public val lowerCase: Boolean = true,
    public val behaviour: Behaviour = Behaviour.REFERENCE,
) {
    internal val table: CharacterTable = when {
        behaviour == Behaviour.PHONE -> CharacterTable.phone
        lowerCase -> CharacterTable.lower
        else -> CharacterTable.cased
    }

    internal val decomposes = lowerCase && behaviour == Behaviour.REFERENCE

    // Words in brackets that are looked for in texts.
    internal val special: List<Pair<String, Int>> =
        if (behaviour == Behaviour.PHONE) emptyList()
        else listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
            .map { it to vocabulary.words.lastIndexOf(it) }.filter { it.second >= 0 }

    /** Ids of [text], and where each token stands in it. */
    public fun encode(text: String): Tokens = Encoder(this, text).encode()
}
