package org.mobilebertlite.core

import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class AnswersTest {
    private val file = Cases.read("answers.json")
    private val tokenizer = Tokenizer(Cases.vocabulary(file))

    @Test
    fun `answers are those of Python`() {
        val cases = file.objects("cases")
        val wrong = cases.mapNotNull { case ->
            val answers = decode(case)
            val place = CodePoints(case.string("context"))
            val expected = case.objects("answers")
            val same = answers.size == expected.size && answers.indices.all { i ->
                answers[i].text == expected[i].string("text") && place[answers[i].start] == expected[i].int("start") &&
                    place[answers[i].end] == expected[i].int("end") && answers[i].score == expected[i].double("score") &&
                    abs(answers[i].probability - expected[i].double("probability")) < 1e-12
            }
            if (same) null else "${case.string("question")}\n  expected $expected\n  actual   $answers"
        }
        println("${cases.size} questions, ${cases.sumOf { it.list("answers").size }} answers")
        expectNone(wrong, cases.size)
    }

    private fun decode(case: JsonObject): List<Answer> {
        val context = case.string("context")
        val windows = questionWindows(
            tokenizer, case.string("question"), context, case.int("length"), maxQuery = case.int("max_query"),
        )
        val outputs = case.list("logits").map { pair ->
            mapOf("start_logits" to pair.jsonArray[0].floats(), "end_logits" to pair.jsonArray[1].floats())
        }
        val given = case.getValue("options").jsonObject
        val options = AnswerOptions(
            count = given.int("n_best"), maxTokens = given.int("max_answer_tokens"),
            nullThreshold = given.double("null_threshold"), allowNull = given.bool("allow_null"),
            wholeWords = given.bool("whole_words"),
        )
        return decodeAnswers(windows, outputs, context, options)
    }

    @Test
    fun `the greatest values come first, and of equal ones the earlier`() {
        assertArrayEquals(intArrayOf(2, 1, 3), best(floatArrayOf(1f, 3f, 4f, 3f, 2f), 3))
        assertArrayEquals(intArrayOf(0, 1), best(floatArrayOf(0f, 0f), 5))
        val values = FloatArray(500) { ((it * 37) % 11).toFloat() }
        assertEquals(values.indices.sortedByDescending { values[it] }.take(20), best(values, 20).asList())
    }

    @Test
    fun `options that cannot be followed are refused where they are made`() {
        for (make in listOf<() -> AnswerOptions>(
            { AnswerOptions(count = 0) }, { AnswerOptions(maxTokens = 0) }, { AnswerOptions(stride = 0) },
            { AnswerOptions(maxQuery = -1) }, { AnswerOptions(nullThreshold = Double.NaN) },
            { AnswerOptions().copy(stride = -5) },
        )) assertThrows(IllegalArgumentException::class.java) { make() }
        // Never, and always.
        AnswerOptions(nullThreshold = Double.POSITIVE_INFINITY)
        AnswerOptions(nullThreshold = Double.NEGATIVE_INFINITY)
    }

    @Test
    fun `logits that cannot be are named`() {
        val windows = questionWindows(tokenizer, "who?", "Ann", 32)
        val good = FloatArray(32)
        fun problem(outputs: Map<String, FloatArray>) =
            assertThrows(ProblemException::class.java) { decodeAnswers(windows, listOf(outputs), "Ann") }.problem.message
        assertEquals(
            "The model's output end_logits is missing; there is start_logits. " +
                "Convert it again, without quantization to see whether that is why.",
            problem(mapOf("start_logits" to good)),
        )
        assertTrue("holds 31 numbers in place of 32" in problem(mapOf("start_logits" to FloatArray(31), "end_logits" to good)))
        val bad = FloatArray(32) { if (it == 3) Float.NaN else 0f }
        assertTrue("holds 1 NaN or infinite" in problem(mapOf("start_logits" to good, "end_logits" to bad)))
    }
}
