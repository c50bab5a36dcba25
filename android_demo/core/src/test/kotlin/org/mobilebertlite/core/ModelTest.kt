package org.mobilebertlite.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelTest {
    private val words = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "?")
    private val asked = ArrayList<Pair<String, Int>>()

    private fun model(
        task: String, type: ProblemType = ProblemType.SINGLE_LABEL, labels: List<String> = emptyList(), runner: Runner,
    ): Model {
        val signatures = mapOf(8 to "${task}_8", 16 to "${task}_16")
        val file = ModelFile(task, type, false, signatures, Tokenizer(Vocabulary(words)), labels, "{}", "2.17.0", "int8")
        return Model(file, { signature, inputs ->
            asked.add(signature to inputs.getValue("ids").size)
            runner.run(signature, inputs)
        })
    }

    private fun qa(runner: Runner = logits) = model("qa", runner = runner)

    private val logits = Runner { _, inputs ->
        val size = inputs.getValue("ids").size
        mapOf("start_logits" to FloatArray(size) { if (it == 4) 5f else 0f }, "end_logits" to FloatArray(size))
    }

    private fun <T> problem(outcome: Outcome<T>) = (outcome as Outcome.Failure).problem

    @Test
    fun `the shortest signature that holds the tokens is run`() {
        val short = qa().answer("a?", "a b").orThrow()
        assertEquals(listOf("qa_8" to 8), asked)
        assertEquals(8, short.length)
        assertEquals("a", short.value.first().text)
        asked.clear()
        assertEquals(16, qa().answer("a?", "a b a b").orThrow().length)
        assertEquals(listOf("qa_16" to 16), asked)
    }

    @Test
    fun `long texts are read in windows, and progress is told`() {
        val told = ArrayList<Pair<Int, Int>>()
        val outcome = qa().answer("a?", "a ".repeat(100), AnswerOptions(stride = 5)) { done, total -> told.add(done to total) }
        val count = outcome.orThrow().inferences
        assertEquals(asked.size, count)
        assertEquals(List(count) { it to count }, told)
        assertTrue(outcome.orThrow().totalNanos >= outcome.orThrow().inferenceNanos)
    }

    @Test
    fun `whoever no longer wants the answer stops the windows`() {
        val outcome = qa().answer("a?", "a ".repeat(100)) { done, _ -> done < 3 }
        assertEquals(Problem.Cancelled, problem(outcome))
        assertEquals(3, asked.size)
    }

    @Test
    fun `a text of a hundred kilobytes is answered`() {
        val text = "a b ? ".repeat(17_000)
        val timed = qa().answer("a?", text).orThrow()
        assertTrue("${timed.inferences}", timed.inferences > 4000)
    }

    @Test
    fun `empty texts are named before anything runs`() {
        assertEquals("The question is empty. Write some words.", problem(qa().answer(" ", "a")).message)
        assertEquals("The text is empty. Write some words.", problem(qa().answer("a", "\n")).message)
        assertEquals(emptyList<Any>(), asked)
    }

    @Test
    fun `a model for something else is named`() {
        assertEquals(
            "This model is for qa, not for classification. Choose another model.", problem(qa().classify("a")).message,
        )
        assertEquals(Problem.WrongTask("qa", "token-classification"), problem(qa().entities("a")))
        val numbers = model("classification", ProblemType.REGRESSION) { _, _ -> mapOf("logits" to floatArrayOf(2.5f)) }
        assertEquals(Problem.WrongTask("regression", "classification"), problem(numbers.classify("a")))
        assertEquals(listOf(Prediction("LABEL_0", 2.5)), numbers.predict("a", "b").orThrow().value)
    }

    @Test
    fun `what an interpreter throws becomes one line`() {
        val broken = qa { _, _ -> throw IllegalArgumentException("Internal error: no kernel\nmore") }
        assertEquals(Problem.RuntimeFailed("Internal error: no kernel"), problem(broken.answer("a", "a")))
    }

    @Test
    fun `outputs that cannot be are named`() {
        val nan = model("classification") { _, _ -> mapOf("probability" to floatArrayOf(Float.NaN, 1f)) }
        assertTrue(problem(nan.classify("a")) is Problem.BadOutput)
        val three = model("classification", labels = listOf("x")) { _, _ -> mapOf("probability" to FloatArray(3)) }
        assertEquals(Problem.BadLabels(1, 3), problem(three.classify("a")))
    }

    @Test
    fun `entities are found in windows`() {
        val tags = model("token-classification", labels = listOf("O", "B-x", "I-x")) { _, inputs ->
            val ids = inputs.getValue("ids")
            // a begins an entity, b continues it.
            mapOf("logits" to FloatArray(ids.size * 3) { if (it % 3 == ids[it / 3] - 3) 9f else 0f })
        }
        val text = "a b ? ".repeat(20)
        val found = tags.entities(text).orThrow()
        assertTrue(found.inferences > 1)
        assertEquals(20, found.value.size)
        assertTrue(found.value.all { it.text == "a b" && it.label == "x" })
        assertEquals(List(20) { 6 * it }, found.value.map { it.start })
    }
}
