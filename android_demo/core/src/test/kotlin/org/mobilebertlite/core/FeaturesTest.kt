package org.mobilebertlite.core

import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class FeaturesTest {
    private val file = Cases.read("features.json")
    private val tokenizer = Tokenizer(Cases.vocabulary(file))

    @Test
    fun `windows, pairs and single texts are those of Python`() {
        val cases = file.objects("cases")
        val wrong = cases.filterNot { case ->
            val windows = build(case)
            val expected = case.objects("windows")
            val place = CodePoints(case["pair"]?.let { case.string("pair") } ?: case.string("text"))
            windows.size == expected.size && windows.indices.all { same(windows[it], expected[it], case, place) }
        }
        for (kind in listOf("question", "pack", "text")) println("$kind: ${cases.count { it.string("kind") == kind }} cases")
        expectNone(wrong.map { it.toString().take(400) }, cases.size)
    }

    private fun build(case: JsonObject): List<Features> {
        val text = case.string("text")
        val length = case.int("length")
        return when (case.string("kind")) {
            "question" -> questionWindows(
                tokenizer, text, case.string("pair"), length, case.int("stride"), case.int("max_query"),
            )
            "pack" -> listOf(
                packTexts(tokenizer, text, case["pair"]?.let { case.string("pair") }, length, "keep_second" in case),
            )
            else -> textWindows(tokenizer, text, length)
        }
    }

    private fun same(window: Features, expected: JsonObject, case: JsonObject, place: CodePoints): Boolean {
        val ids = expected.getValue("ids").ints()
        val used = ids.size
        val rest = used until window.length
        return window.length == case.int("length") && window.used == used &&
            window.mask.asList() == List(window.length) { if (it < used) 1 else 0 } &&
            window.ids.take(used) == ids && rest.all { window.ids[it] == tokenizer.padId } &&
            window.segmentIds.take(used) == expected.getValue("segment_ids").ints() &&
            rest.all {
                window.segmentIds[it] == 0 && window.starts[it] == -1 && window.ends[it] == -1 &&
                    window.wordStarts[it] == -1 && window.wordEnds[it] == -1
            } &&
            (0 until used).flatMap { listOf(place[window.starts[it]], place[window.ends[it]]) } ==
            expected.getValue("offsets").ints() &&
            (0 until used).flatMap { listOf(place[window.wordStarts[it]], place[window.wordEnds[it]]) } ==
            expected.getValue("words").ints() &&
            window.maxContext.joinToString("") { if (it) "1" else "0" } == expected.string("max_context").padEnd(window.length, '0')
    }

    @Test
    fun `texts without words are named`() {
        fun problem(body: () -> Unit) = assertThrows(ProblemException::class.java) { body() }.problem
        assertEquals(Problem.EmptyText("question"), problem { questionWindows(tokenizer, " ", "text", 32) })
        assertEquals(Problem.EmptyText("text"), problem { questionWindows(tokenizer, "who?", "", 32) })
        assertEquals(Problem.EmptyText("second text"), problem { packTexts(tokenizer, "a", "\n", 32) })
        assertEquals(Problem.EmptyText("text"), problem { textWindows(tokenizer, "", 32) })
    }

    @Test
    fun `a question must leave room for the context`() {
        val problem = assertThrows(ProblemException::class.java) {
            questionWindows(tokenizer, "a ".repeat(64), "text", 64)
        }.problem
        assertEquals(Problem.QuestionTooLong(64, 64), problem)
        assertEquals(1, questionWindows(tokenizer, "a ".repeat(64), "a", 68).size)
    }
}
