package org.mobilebertlite.core

import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class LabelsTest {
    @Test
    fun `labels and numbers are those of Python`() {
        val cases = Cases.read("labels.json").objects("cases")
        val wrong = cases.filterNot { case ->
            val expected = case.objects("result")
            val actual = decode(case)
            actual.size == expected.size && actual.indices.all {
                val key = if ("value" in expected[it]) "value" else "probability"
                actual[it].first == expected[it].string("name") && abs(actual[it].second - expected[it].double(key)) < 1e-12
            }
        }
        expectNone(wrong.map { "$it\n  actual ${decode(it)}" }, cases.size)
    }

    private fun decode(case: JsonObject): List<Pair<String, Double>> {
        val type = ProblemType.entries.first { it.name.lowercase() == case.string("problem_type").removeSuffix("_classification") }
        val values = case.getValue("output").floats()
        val labels = case.getValue("labels").strings()
        val raw = type == ProblemType.REGRESSION || case.bool("logits")
        val outputs = mapOf((if (raw) "logits" else "probability") to values)
        return if (type == ProblemType.REGRESSION) decodePredictions(outputs, labels).map { it.name to it.value }
        else decodeLabels(outputs, labels, type, case.bool("logits")).map { it.name to it.probability }
    }

    @Test
    fun `labels must be as many as classes`() {
        val problem = assertThrows(ProblemException::class.java) {
            decodeLabels(mapOf("probability" to floatArrayOf(0.5f, 0.5f)), listOf("one"))
        }.problem
        assertEquals("The model has 2 classes, but 1 labels. Convert it again with one label for each class.", problem.message)
    }
}
