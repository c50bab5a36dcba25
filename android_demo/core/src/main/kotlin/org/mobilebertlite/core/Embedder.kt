package org.mobilebertlite.core

import kotlin.math.sqrt

/** A document of a search: its place in the list, and how alike it is to the query, -1 to 1. */
public data class Match(val index: Int, val similarity: Double)

/**
 * Vectors of texts, and how alike texts are. The file pools and normalizes; nothing is left to do here but to compare.
 * Used by one thread at a time, as [Model].
 */
public class Embedder(private val model: Model) {
    /** The vector of [text]. */
    public fun embed(text: String): Outcome<Timed<FloatArray>> = model.embed(text)

    /** The cosine of the vectors of two texts, -1 to 1. */
    public fun similarity(first: String, second: String): Outcome<Double> = outcome {
        cosine(embed(first).orThrow().value, embed(second).orThrow().value)
    }

    /** The [top] of [documents], vectors of texts, that are most like [query]; of equal ones the first comes first. */
    public fun search(query: String, documents: List<FloatArray>, top: Int = 10): Outcome<List<Match>> =
        embed(query).map { ranked(it.value, documents).take(top) }
}

/** The cosine of two vectors of one length; 0 where either is zero. Throws [ProblemException] for unlike lengths. */
public fun cosine(first: FloatArray, second: FloatArray): Double {
    if (first.size != second.size) fail(Problem.BadOutput("embedding", "holds ${first.size} and ${second.size} numbers"))
    var product = 0.0
    var one = 0.0
    var other = 0.0
    for (i in first.indices) {
        product += first[i].toDouble() * second[i]
        one += first[i].toDouble() * first[i]
        other += second[i].toDouble() * second[i]
    }
    val lengths = sqrt(one) * sqrt(other)
    return if (lengths > 0) (product / lengths).coerceIn(-1.0, 1.0) else 0.0
}

/** [documents] by their cosine with [query], the greatest first. */
public fun ranked(query: FloatArray, documents: List<FloatArray>): List<Match> =
    documents.mapIndexed { i, document -> Match(i, cosine(query, document)) }.sortedByDescending { it.similarity }
