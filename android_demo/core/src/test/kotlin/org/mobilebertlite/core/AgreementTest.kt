package org.mobilebertlite.core

import org.junit.Assert.assertEquals
import org.junit.Test

class AgreementTest {
    /** A place in a text, and what stands there. */
    private fun span(start: Int, text: String, score: Double) = Candidate(Triple(start, start + text.length, text), score)

    private fun compare(tolerance: Double, expected: List<Candidate>, found: List<Candidate>) =
        Agreement.of(expected, found, tolerance).also { assertEquals(it, Agreement.of(found, expected, tolerance)) }

    @Test
    fun `the same best is the same, whatever its score`() {
        assertEquals(Agreement.SAME, compare(0.1, listOf(span(14, "1", 5.0)), listOf(span(14, "1", 9.0))))
    }

    @Test
    fun `the same text at two places is a tie where both score alike`() {
        val expected = listOf(span(14, "1", 5.27), span(34, "1", 5.25), span(14, "1,538", 5.2))
        val found = listOf(span(34, "1", 5.44), span(14, "1", 5.30), span(14, "1,538", 5.24))
        assertEquals(Agreement.TIE, compare(0.2, expected, found))
        assertEquals("for one of the two it is none", Agreement.DIFFERENT, compare(0.1, expected, found))
    }

    @Test
    fun `the same text at two places is not the same answer`() {
        val expected = listOf(span(14, "1", 5.0), span(34, "1", 1.0))
        val found = listOf(span(34, "1", 5.0), span(14, "1", 4.9))
        assertEquals(Agreement.DIFFERENT, compare(0.2, expected, found))
    }

    @Test
    fun `another text at the same place is another answer`() {
        val expected = listOf(span(14, "1", 5.0))
        assertEquals(Agreement.DIFFERENT, compare(0.2, expected, listOf(span(14, "1,538", 5.0), span(14, "1", 5.0))))
    }
}
