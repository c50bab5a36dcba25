package org.mobilebertlite.core

import java.nio.ByteBuffer

/** What a `.tflite` of ours says about itself: everything that is needed to run it on text. */
public class ModelFile internal constructor(
    /** What it is for, as `qa`, `classification` or `token-classification`. */
    public val task: String,
    public val problemType: ProblemType,
    /** Whether classes are given as raw logits. */
    public val logits: Boolean,
    /** Length in tokens → name of the signature, the shortest first. */
    public val signatures: Map<Int, String>,
    /** The vocabulary, with all that the file says of its tokenizer. */
    public val tokenizer: Tokenizer,
    /** Class names in the order of the outputs; empty when the file carries none. */
    public val labels: List<String>,
    /** The whole description (JSON), as `mbl inspect` prints it. */
    public val provenance: String,
    /** The oldest TFLite that has every operator version in the file, or "". */
    public val minRuntimeVersion: String,
    /** How it was quantized (`int8`, `dynamic`, …), or "". */
    public val recipe: String,
) {
    public val vocabulary: Vocabulary get() = tokenizer.vocabulary

    /** The longest sequence the file takes, in tokens. */
    public val longest: Int get() = signatures.keys.max()

    /** The same file with [signature] alone: every text is then read at its length. */
    public fun only(signature: String): ModelFile = ModelFile(
        task, problemType, logits, signatures.filterValues { it == signature }, tokenizer, labels, provenance,
        minRuntimeVersion, recipe,
    )

    public companion object {
        /**
         * Reads what the file holds besides the network. [content] is the whole file; a mapped one is best, for little
         * of it is touched. Position and limit are left alone.
         */
        public fun read(content: ByteBuffer): Outcome<ModelFile> = outcome { ModelReader(content.slice()).read() }

        /** Whether [content] begins as a `.tflite` does. */
        public fun isTflite(content: ByteBuffer): Boolean =
            content.remaining() >= 8 && "TFL3".indices.all { content.get(content.position() + 4 + it).toInt() == "TFL3"[it].code }
    }
}
