package org.mobilebertlite.core

import java.io.File
import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.mobilebertlite.interpreter.TfLiteRunner
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite

/** From text to answer through real interpreters, beside what `mbl run` printed for the same files. */
class EndToEndTest {
    @Test
    fun `an int8 file answers questions as mbl run does`() = recent("qa", INT8_SCORE, ::answers)

    @Test
    fun `an int8 file classifies as mbl run does`() = recent("classification", INT8_PROBABILITY, ::labels)

    @Test
    fun `the app's interpreter answers questions as mbl run does`() = old("qa-old", ::answers)

    @Test
    fun `the app's interpreter classifies as mbl run does`() = old("classification-old", ::labels)

    private fun recent(name: String, same: Double, read: (ModelFile, Runner, JsonObject) -> Read) =
        DesktopRunner(Models.file(name)).use { check(name, it, same, read) }

    private fun old(name: String, read: (ModelFile, Runner, JsonObject) -> Read) {
        loadDesktopLibrary()
        println("TFLite ${TensorFlowLite.runtimeVersion()}")
        TfLiteRunner(Interpreter(Models.map(Models.file(name)))).use { check(name, it, FLOAT, read) }
    }

    private fun check(name: String, runner: Runner, same: Double, read: (ModelFile, Runner, JsonObject) -> Read) {
        val file = Models.read(name)
        val cases = Models.described(name).objects("cases")
        val all = cases.map { read(file, runner, it) }
        val agreements = all.map { Agreement.of(it.expected, it.found, same) }
        val ties = agreements.count { it == Agreement.TIE }
        val wrong = all.indices.filter { agreements[it] == Agreement.DIFFERENT }
        val differences = (all.indices - wrong.toSet()).map { all[it].difference }
        println("$name: ${cases.size} texts, ${wrong.size} differ, $ties ties; scores differ by ${differences.average()} " +
            "on average, by ${differences.maxOrNull()} at most")
        expectNone(wrong.map { "${cases[it].toString().take(300)}\n  ${all[it].shown()}" }, cases.size)
        // The largest of a hundred differences is for the processor to decide; on average they are small.
        assertTrue("${differences.average()}", differences.average() < same / 4)
        // Ties are few, or they would hide what is wrong.
        assertTrue("$ties ties", ties <= cases.size / 10)
        assertTrue(cases.size >= 100)
    }

    /** What `mbl run` found in one text, and what is found here, each with its best first. */
    private class Read(val expected: List<Candidate>, val found: List<Candidate>) {
        /** How far apart the two find what was expected. Each is in the other's list where they agree. */
        val difference: Double
            get() = expected.first().let { best -> abs(found.first { it.what == best.what }.score - best.score) }

        fun shown() = "expected ${expected.take(SHOWN)}\n  actual   ${found.take(SHOWN)}"
    }

    private fun answers(file: ModelFile, runner: Runner, case: JsonObject): Read {
        val context = case.string("context")
        val recorder = Recorder(runner)
        val best = Model(file, recorder).answer(case.string("question"), context).orThrow().value.first()
        val windows = questionWindows(file.tokenizer, case.string("question"), context, file.longest)
            .zip(recorder.outputs) { window, output -> window.trimmed(output.getValue("start_logits").size) }
        val place = CodePoints(context)
        val found = spans(windows, recorder.outputs, context).map { span(place[it.start], place[it.end], it.text, it.score) }
        assertEquals(span(place[best.start], place[best.end], best.text, best.score), found.first())
        val units = context.codePoints().toArray()
        val expected = case.objects("contenders").map {
            val (start, end) = it.int("start") to it.int("end")
            span(start, end, if (start < 0) "" else String(units, start, end - start), it.double("score"))
        }
        val said = case.objects("result").first()
        assertEquals(span(said.int("start"), said.int("end"), said.string("text"), said.double("score")), expected.first())
        return Read(expected, found)
    }

    private fun span(start: Int, end: Int, text: String, score: Double) = Candidate(Triple(start, end, text), score)

    /** The best spans by place, overlapping ones too: [Model.answer] gives every text once, and none across a better. */
    private fun spans(windows: List<Features>, outputs: List<Map<String, FloatArray>>, context: String): List<Answer> {
        val (spans, none) = candidates(windows, outputs, AnswerOptions())
        return (spans + none).sortedByDescending { it.score }.distinctBy { it.start to it.end }.map {
            it.copy(text = if (it.isNull) "" else context.substring(it.start, it.end))
        }
    }

    private fun labels(file: ModelFile, runner: Runner, case: JsonObject): Read {
        val found = Model(file, runner).classify(case.string("text"), case["pair"]?.let { case.string("pair") }).orThrow()
        val expected = case.objects("result").map { Candidate(it.string("name"), it.double("probability")) }
        assertEquals(expected.size, found.value.size)
        return Read(expected, found.value.map { Candidate(it.name, it.probability) })
    }

    /** Keeps what the model computed. */
    private class Recorder(private val runner: Runner) : Runner {
        val outputs = ArrayList<Map<String, FloatArray>>()

        override fun run(signature: String, inputs: Map<String, IntArray>) = runner.run(signature, inputs).also(outputs::add)
    }

    private companion object {
        const val SHOWN = 3

        // Kernels of other versions add in another order.
        const val FLOAT = 1e-3

        // They also round int8 otherwise: `mbl run` is LiteRT 2.3, the desktop's build TFLite 2.18; and so do kernels
        // for other processors. Scores of answers are sums of two logits, which spread over some twenty.
        const val INT8_SCORE = 1.0
        const val INT8_PROBABILITY = 0.2

        /** The library of the classes under org.tensorflow.lite, which Android would find in the package. */
        fun loadDesktopLibrary() {
            val name = "libtensorflowlite_jni.so"
            val copy = File.createTempFile("tflite", ".so").apply { deleteOnExit() }
            EndToEndTest::class.java.getResourceAsStream("/native/lib/$name")!!.use { from ->
                copy.outputStream().use { from.copyTo(it) }
            }
            System.load(copy.path)
        }
    }
}
