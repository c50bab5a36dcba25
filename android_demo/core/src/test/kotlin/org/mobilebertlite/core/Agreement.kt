package org.mobilebertlite.core

/** Something that could be the answer: [what] tells it from all others, and the highest [score] wins. */
data class Candidate(val what: Any, val score: Double)

/** Whether two computations of the same answer agree. */
enum class Agreement {
    SAME,

    /** Each finds the other's best as good as its own, to within the tolerance: rounding decides. */
    TIE,
    DIFFERENT;

    companion object {
        /** Of two lists of candidates, each with its best first. [tolerance] is in units of the scores. */
        fun of(expected: List<Candidate>, found: List<Candidate>, tolerance: Double): Agreement = when {
            expected.first().what == found.first().what -> SAME
            isNear(expected, found.first(), tolerance) && isNear(found, expected.first(), tolerance) -> TIE
            else -> DIFFERENT
        }

        private fun isNear(candidates: List<Candidate>, other: Candidate, tolerance: Double): Boolean {
            val same = candidates.find { it.what == other.what } ?: return false
            return candidates.first().score - same.score <= tolerance
        }
    }
}
