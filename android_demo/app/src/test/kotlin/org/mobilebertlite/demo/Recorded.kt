package org.mobilebertlite.demo

import android.app.Instrumentation
import android.os.Bundle
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import org.mobilebertlite.demo.benchmark.BenchmarkInstrumentation
import org.robolectric.RuntimeEnvironment
import org.robolectric.util.ReflectionHelpers

/** Says what `am instrument -w -r` prints, line by line to [print]. */
class Recorded(private val print: (String) -> Unit = {}) : BenchmarkInstrumentation() {
    val lines = ArrayList<String>()
    var code: Int? = null

    // Called on this thread, below.
    override fun start() = Unit

    override fun sendStatus(code: Int, results: Bundle) = say("STATUS", results, code)

    override fun finish(code: Int, results: Bundle) {
        this.code = code
        say("RESULT", results, null)
        say("INSTRUMENTATION_CODE: $code")
    }

    private fun say(kind: String, results: Bundle, code: Int?) {
        for (key in results.keySet()) say("INSTRUMENTATION_$kind: $key=${results.getString(key)}")
        if (code != null) say("INSTRUMENTATION_STATUS_CODE: $code")
    }

    private fun say(line: String) {
        lines.add(line)
        print(line)
    }

    val events: List<JsonObject>
        get() = lines.mapNotNull { it.substringAfter(": mbl=", "").takeIf(String::isNotEmpty) }
            .map { Json.parseToJsonElement(it).jsonObject }
}

/** As the system starts it, with `-e` [arguments]. */
fun Instrumentation.start(arguments: Map<String, String>) {
    ReflectionHelpers.setField(Instrumentation::class.java, this, "mAppContext", RuntimeEnvironment.getApplication())
    onCreate(Bundle().apply { for ((key, value) in arguments) putString(key, value) })
    onStart()
}
