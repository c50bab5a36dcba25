package org.mobilebertlite.demo

import android.os.Bundle
import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilebertlite.demo.benchmark.BenchmarkInstrumentation
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.util.ReflectionHelpers

/** The instrumentation as `am` starts it; what it says is kept for the host's tests. */
@RunWith(RobolectricTestRunner::class)
class BenchmarkTest {
    private val folder: File get() = RuntimeEnvironment.getApplication().getExternalFilesDir(null)!!

    /** Says what `am instrument -w -r` prints. */
    private class Recorded : BenchmarkInstrumentation() {
        val lines = ArrayList<String>()
        var code: Int? = null

        // Called on this thread, below.
        override fun start() = Unit

        override fun sendStatus(code: Int, results: Bundle) = say("STATUS", results, code)

        override fun finish(code: Int, results: Bundle) {
            this.code = code
            say("RESULT", results, null)
            lines.add("INSTRUMENTATION_CODE: $code")
        }

        private fun say(kind: String, results: Bundle, code: Int?) {
            for (key in results.keySet()) lines.add("INSTRUMENTATION_$kind: $key=${results.getString(key)}")
            if (code != null) lines.add("INSTRUMENTATION_STATUS_CODE: $code")
        }

        val events: List<JsonObject>
            get() = lines.mapNotNull { it.substringAfter(": mbl=", "").takeIf(String::isNotEmpty) }
                .map { Json.parseToJsonElement(it).jsonObject }
    }

    private fun run(vararg arguments: Pair<String, String>): Recorded = Recorded().apply {
        ReflectionHelpers.setField(android.app.Instrumentation::class.java, this, "mAppContext", RuntimeEnvironment.getApplication())
        onCreate(Bundle().apply { for ((key, value) in arguments) putString(key, value) })
        onStart()
    }

    private fun keep(name: String, said: Recorded) {
        val file = File(System.getProperty("pictures") ?: "target/pictures", "../app-lines/$name.txt").canonicalFile
        file.parentFile!!.mkdirs()
        file.writeText(said.lines.joinToString("\n", postfix = "\n"))
    }

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
            listOf("begin", "model", "load") + List(12) { "sample" } + listOf("check", "end", "done"),
            said.events.map { it.text("event") },
        )
        assertTrue(said.events.filter { it.text("event") == "sample" }.all { it.getValue("us").jsonPrimitive.double > 0 })
        val check = said.events.first { it.text("event") == "check" }
        assertEquals(2, check.getValue("total").jsonPrimitive.int)
        assertEquals(1, check.getValue("same").jsonPrimitive.int)
        assertTrue(check.getValue("largest_difference").jsonPrimitive.double < 1e-3)
        assertTrue("Paris" in check.getValue("different").toString())
        val load = said.events.first { it.text("event") == "load" }
        assertTrue(load.getValue("load_us").jsonPrimitive.double > 0 && load.getValue("peak_memory_bytes").jsonPrimitive.double > 1e7)
    }

    @Test
    fun `what cannot be measured is named`() {
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
        assertTrue(message(run("modle" to "x.tflite")).startsWith("unknown arguments [modle]"))
        assertEquals("no model; add -e model FILE.tflite", message(run()))
    }
}
