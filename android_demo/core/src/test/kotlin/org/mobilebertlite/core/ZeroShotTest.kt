package org.mobilebertlite.core

import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class ZeroShotTest {
    @Test
    fun `classes and probabilities are those of Python`() {
        val cases = Cases.read("zero-shot.json").objects("cases")
        val wrong = cases.filterNot { case ->
            val asked = asked(case)
            val expected = case.objects("result")
            val actual = decode(case, asked)
            asked.labels.map(asked::hypothesis) == case.getValue("hypotheses").strings() &&
                actual.map { it.name } == expected.map { it.string("name") } &&
                actual.indices.all { abs(actual[it].probability - expected[it].double("probability")) < 1e-12 }
        }
        expectNone(wrong.map { "$it\n  actual ${decode(it, asked(it))}" }, cases.size)
    }

    private fun asked(case: JsonObject) = ZeroShot(
        case.getValue("labels").strings(), case.string("template"), case.bool("multi_label"),
        case["entailment"]?.let { case.string("entailment") }, case["contradiction"]?.let { case.string("contradiction") },
    )

    private fun decode(case: JsonObject, asked: ZeroShot): List<Label> {
        val name = if (case.bool("logits")) "logits" else "probability"
        val outputs = case.getValue("outputs").jsonArray.map { mapOf(name to it.floats()) }
        return decodeZeroShot(outputs, case.getValue("names").strings(), asked)
    }

    private val words = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "it", "is", ".")

    private fun model(labels: List<String>, type: ProblemType = ProblemType.SINGLE_LABEL): Model {
        val signatures = mapOf(8 to "classification_8", 16 to "classification_16")
        val file = ModelFile(
            "classification", type, true, signatures, Tokenizer(Vocabulary(words)), labels, "{}", "2.17.0", "none",
        )
        // "b" in the second text entails.
        return Model(file, { _, inputs ->
            val second = inputs.getValue("ids").filterIndexed { i, _ -> inputs.getValue("segment_ids")[i] == 1 }
            mapOf("logits" to floatArrayOf(0f, 0f, if (5 in second) 2f else -2f))
        })
    }

    @Test
    fun `a model is run once for each class`() {
        val timed = model(listOf("contradiction", "neutral", "entailment"))
            .zeroShot("a ".repeat(40), ZeroShot(listOf("a", "b"), "it is {}.")).orThrow()
        assertEquals(2, timed.inferences)
        assertEquals(listOf("b", "a"), timed.value.map { it.name })
        assertEquals(1 / (1 + Math.exp(-4.0)), timed.value.first().probability, 1e-12)
    }

    @Test
    fun `what cannot be judged is named`() {
        fun problem(model: Model, asked: ZeroShot) = (model.zeroShot("a", asked) as Outcome.Failure).problem
        val nli = model(listOf("contradiction", "neutral", "entailment"))
        val unnamed = model(listOf("LABEL_0", "LABEL_1", "LABEL_2"))
        assertEquals(Problem.NotNli(List(3) { "LABEL_$it" }), problem(unnamed, ZeroShot(listOf("a", "b"))))
        assertEquals(
            "b", unnamed.zeroShot("a", ZeroShot(listOf("a", "b"), entailment = "LABEL_2")).orThrow().value.first().name,
        )
        assertEquals(
            Problem.NotNli(List(3) { "LABEL_$it" }), problem(unnamed, ZeroShot(listOf("a"), entailment = "2")),
        )
        assertEquals(Problem.BadQuestion("there are no classes to choose from"), problem(nli, ZeroShot(emptyList())))
        assertEquals(
            Problem.BadQuestion("the hypothesis \"it is\" has no {} for the class"),
            problem(nli, ZeroShot(listOf("a"), "it is")),
        )
        assertEquals(
            Problem.WrongTask("multi_label", "natural-language inference"),
            problem(model(listOf("x", "y", "z"), ProblemType.MULTI_LABEL), ZeroShot(listOf("a"))),
        )
        assertThrows(ProblemException::class.java) { decodeZeroShot(listOf(emptyMap()), emptyList(), ZeroShot(listOf("a"))) }
    }
}
