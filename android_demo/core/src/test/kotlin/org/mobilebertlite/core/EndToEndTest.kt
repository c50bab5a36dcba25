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
    private var ties = 0

    @Test
    fun `an int8 file answers questions as mbl run does`() = recent("qa", ::compareAnswers)

    @Test
    fun `an int8 file classifies as mbl run does`() = recent("classification", ::compareLabels)

    @Test
    fun `the app's interpreter answers questions as mbl run does`() = old("qa-old", ::compareAnswers)

    @Test
    fun `the app's interpreter classifies as mbl run does`() = old("classification-old", ::compareLabels)

    private fun recent(name: String, compare: (Model, JsonObject, Double) -> Double?) {
        val file = Models.read(name)
        DesktopRunner(Models.file(name)).use { check(name, Model(file, it), INT8, compare) }
        // Ties are few, or they would hide what is wrong.
        assertTrue("$ties ties", ties <= 10)
    }

    private fun old(name: String, compare: (Model, JsonObject, Double) -> Double?) {
        val file = Models.read(name)
        loadDesktopLibrary()
        println("TFLite ${TensorFlowLite.runtimeVersion()}")
        TfLiteRunner(Interpreter(Models.map(Models.file(name)))).use { check(name, Model(file, it), FLOAT, compare) }
        assertEquals(0, ties)
    }

    /** [compare] gives the largest difference of a probability, or null where the answers differ. */
    private fun check(name: String, model: Model, same: Double, compare: (Model, JsonObject, Double) -> Double?) {
        val cases = Models.described(name).objects("cases")
        val differences = cases.map { compare(model, it, same) }
        println("$name: ${cases.size} texts, ${differences.count { it == null }} differ, $ties ties; " +
            "probabilities differ by ${differences.maxOf { it ?: 0.0 }} at most")
        expectNone(cases.filterIndexed { i, _ -> differences[i] == null }.map { it.toString().take(300) }, cases.size)
        val largest = differences.filterNotNull().max()
        assertTrue("$largest", largest < same)
        assertTrue(cases.size >= 100)
    }

    private fun compareAnswers(model: Model, case: JsonObject, same: Double): Double? {
        val context = case.string("context")
        val answers = model.answer(case.string("question"), context).orThrow().value
        val expected = case.objects("result").first()
        val place = CodePoints(context)
        val at = answers.indexOfFirst {
            it.text == expected.string("text") && place[it.start] == expected.int("start") && place[it.end] == expected.int("end")
        }
        if (at < 0 || answers.first().probability - answers[at].probability > same) {
            println("not $expected but ${answers.take(SHOWN)}")
            return null
        }
        if (at > 0) ties++
        return abs(answers[at].probability - expected.double("probability"))
    }

    private fun compareLabels(model: Model, case: JsonObject, same: Double): Double? {
        val labels = model.classify(case.string("text"), case["pair"]?.let { case.string("pair") }).orThrow().value
        val expected = case.objects("result").associate { it.string("name") to it.double("probability") }
        val best = labels.indexOfFirst { it.name == case.objects("result").first().string("name") }
        if (labels.size != expected.size || labels.first().probability - labels[best].probability > same) {
            println("not $expected but ${labels.take(SHOWN)}")
            return null
        }
        if (best > 0) ties++
        return labels.maxOf { abs(it.probability - expected.getValue(it.name)) }
    }

    private companion object {
        const val SHOWN = 3

        // Kernels of other versions add in another order.
        const val FLOAT = 1e-3

        // They also round int8 otherwise: `mbl run` is LiteRT 2.3, the desktop's build TFLite 2.18.
        const val INT8 = 0.2

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
