package org.mobilebertlite.core

import kotlin.math.abs
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class EmbedderTest {
    @Test
    fun `cosines are those of Python`() {
        val cases = Cases.read("embeddings.json").objects("cases")
        val wrong = cases.filterNot { case ->
            val found = ranked(case.getValue("query").floats(), case.list("documents").map { it.floats() })
            val expected = case.objects("result")
            found.map { it.index } == expected.map { it.int("index") } &&
                found.indices.all { abs(found[it].similarity - expected[it].double("similarity")) < 1e-12 }
        }
        expectNone(wrong.map { it.toString() }, cases.size)
    }

    private val words = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c")

    /** A model whose vector counts how often a and b stand in the text. */
    private fun embedder(task: String = "embedding") = Embedder(Model(
        ModelFile(task, ProblemType.SINGLE_LABEL, false, mapOf(8 to "${task}_8"), Tokenizer(Vocabulary(words)), emptyList(),
            "{}", "2.17.0", "int8"),
        { _, inputs -> mapOf("embedding" to floatArrayOf(4, 5) { word -> inputs.getValue("ids").count { it == word } }) },
    ))

    private fun floatArrayOf(vararg ids: Int, value: (Int) -> Int) = FloatArray(ids.size) { value(ids[it]).toFloat() }

    @Test
    fun `texts are compared and searched`() {
        val model = embedder()
        assertArrayEquals(floatArrayOf(2f, 1f), model.embed("a b a").orThrow().value, 0f)
        assertEquals(0.8, model.similarity("a b a", "a b b").orThrow(), 1e-12)
        assertEquals(0.0, model.similarity("a", "c").orThrow(), 0.0)
        val documents = listOf("b", "a", "a b", "a a").map { model.embed(it).orThrow().value }
        assertEquals(listOf(1, 3, 2), model.search("a", documents, top = 3).orThrow().map { it.index })
    }

    @Test
    fun `what cannot be compared is named`() {
        assertThrows(ProblemException::class.java) { cosine(FloatArray(2), FloatArray(3)) }
        assertEquals(Outcome.Failure(Problem.WrongTask("qa", "embedding")), embedder("qa").similarity("a", "b"))
        assertEquals(Outcome.Failure(Problem.EmptyText("text")), embedder().embed(" "))
    }
}
