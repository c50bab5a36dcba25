package org.mobilebertlite.core

import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import org.junit.Assert.assertEquals
import org.junit.Test

class EntitiesTest {
    private val file = Cases.read("entities.json")
    private val tokenizer = Tokenizer(Cases.vocabulary(file))

    @Test
    fun `words and entities are those of Python`() {
        val cases = file.objects("cases")
        val wrong = cases.filterNot(::same)
        println("${cases.size} texts, ${cases.sumOf { it.list("entities").size }} entities")
        expectNone(wrong.map { it.string("text") }, cases.size)
    }

    private fun same(case: JsonObject): Boolean {
        val text = case.string("text")
        val windows = textWindows(tokenizer, text, case.int("length"))
        val outputs = case.list("logits").map { rows ->
            mapOf("logits" to rows.jsonArray.flatMap { it.floats().asList() }.toFloatArray())
        }
        val words = decodeWords(windows, outputs, tokenizer, case.getValue("labels").strings())
        val place = CodePoints(text)
        fun equal(start: Int, end: Int, label: String, probability: Double, expected: JsonObject) =
            place[start] == expected.int("start") && place[end] == expected.int("end") &&
                label == expected.string("label") && abs(probability - expected.double("probability")) < 1e-12
        val entities = decodeEntities(text, words)
        val expectedWords = case.objects("words")
        val expected = case.objects("entities")
        return words.size == expectedWords.size && entities.size == expected.size &&
            words.zip(expectedWords).all { (word, one) -> equal(word.start, word.end, word.label, word.probability, one) } &&
            entities.zip(expected).all { (entity, one) ->
                entity.text == one.string("text") && equal(entity.start, entity.end, entity.label, entity.probability, one)
            }
    }

    @Test
    fun `labels spell entities as conlleval reads them`() {
        fun spelled(vararg labels: String): List<String> {
            val words = labels.mapIndexed { i, label -> TaggedWord(2 * i, 2 * i + 1, label, 0.5) }
            return decodeEntities("a b c d e f", words).map { "${it.label}:${it.text}" }
        }
        assertEquals(listOf("x:a b", "x:c"), spelled("B-x", "I-x", "B-x"))
        assertEquals(listOf("x:a", "y:b c"), spelled("I-x", "I-y", "I-y"))
        assertEquals(listOf("loose:a b", "B-:d"), spelled("loose", "loose", "O", "B-"))
        assertEquals(emptyList<String>(), spelled("O", "O"))
    }
}
