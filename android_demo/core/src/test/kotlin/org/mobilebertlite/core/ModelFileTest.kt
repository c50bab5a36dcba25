package org.mobilebertlite.core

import java.nio.ByteBuffer
import java.util.Random
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelFileTest {
    private fun refused(bytes: ByteArray): Problem = when (val outcome = ModelFile.read(ByteBuffer.wrap(bytes))) {
        is Outcome.Failure -> outcome.problem
        is Outcome.Success -> throw AssertionError("it was read")
    }

    @Test
    fun `a model says what mbl inspect says`() {
        for (name in listOf("qa", "classification", "qa-old", "classification-old")) {
            val file = Models.read(name)
            val inspected = Models.described(name).getValue("inspected").jsonObject
            val provenance = inspected.getValue("provenance").jsonObject
            val carried = Json.parseToJsonElement(file.provenance).jsonObject
            // What is not known is not printed.
            assertEquals(provenance, JsonObject(carried.filterValues { it !is JsonNull }))
            assertEquals(provenance.string("task"), file.task)
            assertEquals(provenance.bool("lower_case"), file.tokenizer.settings.lowerCase)
            assertEquals(provenance.getValue("lengths").ints().sorted(), file.signatures.keys.toList())
            assertEquals(provenance.string("min_runtime_version"), file.minRuntimeVersion)
            assertEquals(if (file.task == "qa") 4000 else 8000, file.vocabulary.words.size)
            assertEquals(if (file.task == "qa") 0 else 7, file.labels.size)
        }
    }

    @Test
    fun `what is no model is named`() {
        assertEquals(Problem.NotTflite, refused(ByteArray(0)))
        assertEquals(Problem.NotTflite, refused("PK\u0003\u0004 something".toByteArray()))
        assertEquals(Problem.NotOurs, refused(ByteArray(4) + "TFL3".toByteArray()))
        assertEquals(Problem.Damaged("an offset of 4294967295"), refused(ByteArray(4) { -1 } + "TFL3".toByteArray()))
        assertEquals(
            Problem.Damaged("an offset beyond the end of the file"), refused(byteArrayOf(9, 0, 0, 0) + "TFL3".toByteArray()),
        )
    }

    @Test
    fun `a model of another toolkit is named`() {
        val bytes = Models.file("qa").readBytes()
        replace(bytes, "mbl", "xyz")
        assertEquals(Problem.NotOurs, refused(bytes))
    }

    @Test
    fun `a missing vocabulary is named`() {
        val bytes = Models.file("qa").readBytes()
        val archive = bytes.indexOf("PK\u0003\u0004")
        assertEquals(Problem.BadVocabulary("the file carries no vocab.txt"), refused(bytes.copyOf(archive)))
    }

    @Test
    fun `a vocabulary without special words is named`() {
        val bytes = Models.file("qa").readBytes()
        replace(bytes, "[CLS]\n[SEP]", "[CLS]\n[sep]")
        assertEquals(Problem.Damaged("vocab.txt has changed"), refused(bytes))
        val words = listOf("[PAD]", "[UNK]", "[CLS]").joinToString("\n")
        val problem = runCatching { Tokenizer(Vocabulary.parse(ByteBuffer.wrap(words.toByteArray()))) }.exceptionOrNull()
        assertEquals(Problem.BadVocabulary("[SEP] is missing among 3 words"), (problem as ProblemException).problem)
        val latin = runCatching { Vocabulary.parse(ByteBuffer.wrap(byteArrayOf(0x5b, -1))) }.exceptionOrNull()
        assertEquals(Problem.BadVocabulary("it is not UTF-8"), (latin as ProblemException).problem)
    }

    @Test
    fun `a file that was cut short anywhere is refused`() {
        val bytes = Models.file("qa").readBytes()
        for (length in 0 until bytes.size step 49_999) refused(bytes.copyOf(length))
    }

    @Test
    fun `damage anywhere is a problem or harmless, but never a crash`() {
        val bytes = Models.file("classification").readBytes()
        val random = Random(1)
        // The tables stand at the beginning and after the weights; the archive at the end.
        val kinds = HashSet<Class<*>>()
        repeat(1000) { round ->
            val changed = bytes.clone()
            val from = if (round % 2 == 0) 0 else bytes.size - 60_000
            repeat(1 + random.nextInt(8)) {
                changed[from + random.nextInt(if (round % 4 == 0) 400 else 60_000)] = random.nextInt(256).toByte()
            }
            val outcome = ModelFile.read(ByteBuffer.wrap(changed))
            if (outcome is Outcome.Failure) kinds.add(outcome.problem.javaClass)
        }
        assertTrue("$kinds", kinds.size >= 2)
    }

    @Test
    fun `position and limit of the buffer count`() {
        val bytes = Models.file("qa").readBytes()
        val buffer = ByteBuffer.allocate(bytes.size + 20)
        buffer.position(7)
        buffer.put(bytes)
        buffer.flip()
        buffer.position(7)
        assertEquals("qa", ModelFile.read(buffer).orThrow().task)
        assertEquals(7, buffer.position())
    }

    private fun ByteArray.indexOf(text: String): Int {
        val wanted = text.toByteArray()
        return (0..size - wanted.size).first { at -> wanted.indices.all { this[at + it] == wanted[it] } }
    }

    private fun replace(bytes: ByteArray, old: String, new: String) =
        new.toByteArray().copyInto(bytes, bytes.indexOf(old))
}
