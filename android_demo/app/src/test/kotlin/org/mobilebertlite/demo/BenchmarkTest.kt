package org.mobilebertlite.demo

import android.content.ComponentName
import android.os.Bundle
import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.orThrow
import org.mobilebertlite.demo.benchmark.BenchmarkInstrumentation
import org.mobilebertlite.demo.benchmark.firstWindows
import org.mobilebertlite.demo.model.Example
import org.mobilebertlite.demo.model.ModelSource
import org.mobilebertlite.demo.model.ModelStore
import org.mobilebertlite.demo.test.FarmInstrumentation
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

/** The instrumentation as `am` starts it; what it says is kept for the host's tests. */
@RunWith(RobolectricTestRunner::class)
class BenchmarkTest {
    private val folder: File get() = RuntimeEnvironment.getApplication().getExternalFilesDir(null)!!

    private fun run(vararg arguments: Pair<String, String>): Recorded = Recorded().also { it.start(arguments.toMap()) }

    private fun keep(name: String, said: Recorded) =
        kept("$name.txt").writeText(said.lines.joinToString("\n", postfix = "\n"))

    private fun kept(name: String) =
        File(System.getProperty("pictures") ?: "target/pictures", "../app-lines/$name").canonicalFile.apply { parentFile!!.mkdirs() }

    @Test
    fun `a model is measured and its answers are checked`() {
        val case = Desktop.case("qa-old")
        push(folder, Desktop.model("qa-old"), "qa.tflite")
        File(folder, "qa.examples.json").writeText(
            """{"task": "qa", "examples": [{"question": ${case["question"]}, "context": ${case["context"]},
            "expected": {"name": ${case.best()["text"]}, "probability": ${case.best()["probability"]}}},
            {"question": ${case["question"]}, "context": "Nothing.", "expected": {"name": "Paris", "probability": 0.5}}]}"""
        )
        val said = run(
            "model" to "qa.tflite", "threads" to "1", "runs" to "12", "warmup" to "1", "expected" to "qa.examples.json",
        )
        keep("measured", said)
        assertEquals(said.lines.joinToString("\n"), -1, said.code)
        assertEquals(
            listOf("begin", "request", "model", "load") + List(12) { "sample" } + List(2) { "progress" } + listOf("check", "end", "done"),
            said.events.map { it.text("event") },
        )
        val samples = said.events.filter { it.text("event") == "sample" }
        assertTrue(samples.all { it.getValue("us").jsonPrimitive.double > 0 })
        // Each begins when the one before has ended, and the two texts take turns.
        for ((one, next) in samples.zipWithNext()) {
            val end = one.getValue("at_us").jsonPrimitive.double + one.getValue("us").jsonPrimitive.double
            assertTrue(next.getValue("at_us").jsonPrimitive.double >= end)
        }
        val tokens = samples.map { it.getValue("tokens").jsonPrimitive.int }
        assertEquals(2, tokens.toSet().size)
        assertEquals(List(12) { tokens[it % 2] }, tokens)
        val check = said.events.first { it.text("event") == "check" }
        assertEquals(2, check.getValue("total").jsonPrimitive.int)
        assertEquals(1, check.getValue("same").jsonPrimitive.int)
        assertTrue(check.getValue("largest_difference").jsonPrimitive.double < 1e-3)
        val different = check.getValue("different").jsonArray.single().jsonObject
        assertEquals("Paris", different.text("expected"))
        assertTrue(different.getValue("probability").jsonPrimitive.double > 0.0)
        // It stands nowhere in the text, so the model gives it nothing.
        assertEquals(JsonNull, different["of_expected"])
        val load = said.events.first { it.text("event") == "load" }
        assertTrue(load.getValue("load_us").jsonPrimitive.double > 0 && load.getValue("peak_memory_bytes").jsonPrimitive.double > 1e7)
    }

    @Test
    fun `what the host sends is understood`() {
        Desktop.model("qa-old")
        val sent = File(System.getenv("MBL_CASES"), "app/arguments.json")
        sent.copyTo(kept("arguments.json"), overwrite = true)
        val asked = Json.parseToJsonElement(sent.readText()).jsonObject
        val words = asked.getValue("command").jsonArray.map { it.jsonPrimitive.content }
        assertEquals(listOf("am", "instrument", "-w", "-r"), words.take(4))
        // As am reads them: -e NAME VALUE …, and the component.
        val pairs = words.drop(4).dropLast(1).chunked(3).onEach { assertEquals("-e", it[0]) }
        val component = ComponentName.unflattenFromString(words.last())!!
        assertEquals(RuntimeEnvironment.getApplication().packageName, component.packageName)
        assertEquals(BenchmarkInstrumentation::class.java.name, component.className)
        val said = run(*pairs.map { it[1] to it[2] }.toTypedArray())
        keep("arguments", said)
        assertEquals(said.lines.last { "mbl=" in it }, -1, said.code)
        val check = said.events.first { it.text("event") == "check" }
        assertTrue(check.getValue("total").jsonPrimitive.int > 10)
        assertEquals(check["total"], check["same"])
        assertTrue(said.events.filter { it.text("event") == "sample" }.all { it.text("signature") == "qa_64" })
    }

    @Test
    fun `answers are compared only when asked for`() {
        push(folder, Desktop.model("qa-old"), "qa.tflite")
        File(folder, "one.json").writeText(
            """{"task": "qa", "examples": [{"question": "Who?", "context": "Ada.", "expected": {"name": "x", "probability": 1}}]}"""
        )
        val said = run("model" to "qa.tflite", "runs" to "1", "expected" to "one.json", "check" to "false")
        assertEquals(listOf("begin", "request", "model", "load", "sample", "end", "done"), said.events.map { it.text("event") })
    }

    @Test
    fun `every text is read at the length that was asked for`() {
        val content = ModelStore(RuntimeEnvironment.getApplication())
            .open(ModelSource.Pushed(push(folder, Desktop.model("qa"), "qa.tflite").name))
        val file = ModelFile.read(content).orThrow()
        val texts = listOf(Example("Who?", "Ada.", null), Example("Who?", "Ada. ".repeat(60), null))
        fun read(signature: String?) = firstWindows(file, texts, signature).map { Triple(it.signature, it.arrays.getValue("ids").size, it.tokens) }
        val (short, long) = read(null)
        assertEquals("qa_64" to 64, short.first to short.second)
        assertEquals("qa_384" to 384, long.first to long.second)
        assertTrue(long.third in 65..384)
        assertEquals(listOf(Triple("qa_384", 384, short.third), long), read("qa_384"))
        // Of the long one the first window.
        assertEquals(listOf(short, Triple("qa_64", 64, 64)), read("qa_64"))
        val message = assertThrows(IllegalArgumentException::class.java) { read("qa_128") }.message
        assertEquals("no signature qa_128; there are [qa_64, qa_384]", message)
    }

    @Test
    fun `a farm sees a test that passes or fails`() {
        class Farm : FarmInstrumentation() {
            val said = ArrayList<Pair<Int, Bundle>>()

            override fun start() = Unit

            override fun sendStatus(code: Int, results: Bundle) {
                if (results.containsKey("test")) said.add(code to results)
            }

            // There is no system here to be told.
            override fun finish(code: Int, results: Bundle) = Unit

        }
        push(folder, Desktop.model("qa-old"), "qa.tflite")
        fun statuses(vararg arguments: Pair<String, String>) = Farm().also { it.start(arguments.toMap()) }.said
        val passed = statuses("model" to "qa.tflite", "runs" to "1", "notAnnotation" to "the farm's own")
        assertEquals(listOf(1, 0), passed.map { it.first })
        assertTrue(passed.all { it.second.getString("class") == "org.mobilebertlite.demo.test.FarmInstrumentation" })
        assertEquals(listOf("benchmark", 1, 1), listOf("test", "numtests", "current").map { @Suppress("DEPRECATION") passed[0].second.get(it) })
        val failed = statuses("model" to "none.tflite")
        assertEquals(listOf(1, -2), failed.map { it.first })
        assertTrue("no file" in failed[1].second.getString("stack")!!)
    }

    @Test
    fun `what cannot be measured is named`() {
        // For the interpreter's library alone.
        Desktop.model("qa-old")
        fun message(said: Recorded): String {
            assertEquals(0, said.code)
            return said.events.last().apply { assertEquals("error", text("event")) }.text("message")
        }
        val missing = run("model" to "none.tflite")
        keep("missing", missing)
        assertEquals("no file $folder/none.tflite that the app can read; push it to $folder", message(missing))
        File(folder, "x.tflite").writeBytes(ByteArray(50))
        assertEquals("This is not a .tflite model. Choose a file that `mbl convert` made.", message(run("model" to "x.tflite")))
        assertEquals("threads 0; it must be from 1 to 64", message(run("model" to "x.tflite", "threads" to "0")))
        assertEquals("accelerator tpu; there are [cpu, gpu, nnapi]", message(run("model" to "x.tflite", "accelerator" to "tpu")))
        assertEquals("check yes; it must be true or false", message(run("model" to "x.tflite", "check" to "yes")))
        assertEquals("first -1; it must be from 0 to 2147483647", message(run("model" to "x.tflite", "first" to "-1")))
        assertTrue(message(run("modle" to "x.tflite")).startsWith("unknown arguments [modle]"))
        assertEquals("no model; add -e model FILE.tflite", message(run()))
    }
}
