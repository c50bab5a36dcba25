package org.mobilebertlite.core

import java.io.File
import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertTrue
import org.junit.Test
import org.mobilebertlite.interpreter.TfLiteRunner
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite

/** From text to answer through real interpreters, beside what `mbl run` printed for the same files. */
class EndToEndTest {
    @Test
    fun `questions are answered as mbl run answers them`() = recent("qa", ::compareAnswers)

    @Test
    fun `texts are classified as mbl run classifies them`() = recent("classification", ::compareLabels)

    @Test
    fun `the app's interpreter answers questions as mbl run does`() = old("qa-old", ::compareAnswers)

    @Test
    fun `the app's interpreter classifies as mbl run does`() = old("classification-old", ::compareLabels)

    private fun recent(name: String, compare: (Model, JsonObject) -> Double?) {
        val file = Models.read(name)
        DesktopRunner(Models.file(name)).use { check(name, Model(file, it), compare) }
    }

    private fun old(name: String, compare: (Model, JsonObject) -> Double?) {
        val file = Models.read(name)
        loadDesktopLibrary()
        println("TFLite ${TensorFlowLite.runtimeVersion()}")
        TfLiteRunner(Interpreter(Models.map(Models.file(name)))).use { check(name, Model(file, it), compare) }
    }

    /** [compare] gives the largest difference of a probability, or null where the answers differ. */
    private fun check(name: String, model: Model, compare: (Model, JsonObject) -> Double?) {
        val cases = Models.described(name).objects("cases")
        val differences = cases.map { compare(model, it) }
        println("$name: ${cases.size} texts, ${differences.count { it == null }} differ; " +
            "probabilities differ by ${differences.maxOf { it ?: 0.0 }} at most")
        expectNone(cases.filterIndexed { i, _ -> differences[i] == null }.map { it.toString().take(300) }, cases.size)
        assertTrue(differences.maxOf { it!! } < SAME)
        assertTrue(cases.size >= if (name.endsWith("-old")) 20 else 100)
    }

    private fun compareAnswers(model: Model, case: JsonObject): Double? {
        val context = case.string("context")
        val answers = model.answer(case.string("question"), context).orThrow().value.take(3)
        val expected = case.objects("result")
        val place = CodePoints(context)
        fun same(i: Int) = answers[i].text == expected[i].string("text") &&
            place[answers[i].start] == expected[i].int("start") && place[answers[i].end] == expected[i].int("end")
        if (answers.size != expected.size || !same(0)) return null
        // Below the best one, spans whose scores are nearly equal may change places.
        return answers.indices.maxOf { abs(answers[it].probability - expected[it].double("probability")) }
    }

    private fun compareLabels(model: Model, case: JsonObject): Double? {
        val labels = model.classify(case.string("text"), case["pair"]?.let { case.string("pair") }).orThrow().value
        val expected = case.objects("result").associate { it.string("name") to it.double("probability") }
        if (labels.size != expected.size || labels.first().name != case.objects("result").first().string("name")) return null
        return labels.maxOf { abs(it.probability - expected.getValue(it.name)) }
    }

    private companion object {
        // Kernels of other versions add in another order.
        const val SAME = 1e-3

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
