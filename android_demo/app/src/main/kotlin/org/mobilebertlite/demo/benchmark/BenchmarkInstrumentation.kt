package org.mobilebertlite.demo.benchmark

import android.app.Activity
import android.app.Instrumentation
import android.os.Build
import android.os.Bundle
import android.os.Process
import java.io.IOException
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import org.mobilebertlite.core.ProblemException
import org.tensorflow.lite.TensorFlowLite

/**
 * Measures a model in the app's own process:
 *
 *     adb shell am instrument -w -r -e model NAME.tflite -e runs 100 \
 *       org.mobilebertlite.demo/.benchmark.BenchmarkInstrumentation
 *
 * Every finding is a JSON object on one line, under the key [KEY]. What goes wrong is the event `error`, and the result
 * code is then 0 in place of -1.
 */
open class BenchmarkInstrumentation : Instrumentation() {
    private lateinit var arguments: Bundle

    override fun onCreate(arguments: Bundle) {
        super.onCreate(arguments)
        this.arguments = arguments
        start()
    }

    override fun onStart() {
        super.onStart()
        val problem = try {
            measure()
            null
        } catch (exception: ProblemException) {
            exception.problem.message
        } catch (exception: RuntimeException) {
            exception.message ?: exception.toString()
        } catch (exception: IOException) {
            exception.message ?: exception.toString()
        } catch (_: OutOfMemoryError) {
            "there is not enough memory"
        }
        val last = buildJsonObject {
            put("event", if (problem == null) "done" else "error")
            if (problem != null) put("message", problem)
        }
        end(if (problem == null) Activity.RESULT_OK else Activity.RESULT_CANCELED, bundle(last))
    }

    /** The last word; the process ends with it. */
    protected open fun end(code: Int, last: Bundle) = finish(code, last)

    private fun measure() {
        val folder = targetContext.getExternalFilesDir(null) ?: throw IOException("the phone's storage is not mounted")
        val begin = System.nanoTime()
        emit(begin())
        Benchmark(Request.parse(given(arguments), folder), begin, ::ownLog, ::emit).run()
    }

    /** What was asked for, by name. */
    protected open fun given(arguments: Bundle): Map<String, String> =
        arguments.keySet().associateWith { arguments.getString(it).orEmpty() }

    private fun begin() = buildJsonObject {
        put("event", "begin")
        put("format", FORMAT)
        put("app", version())
        put("runtime", TensorFlowLite.runtimeVersion())
        put("time_ms", System.currentTimeMillis())
        put("manufacturer", Build.MANUFACTURER)
        put("model", Build.MODEL)
        put("device", Build.DEVICE)
        put("fingerprint", Build.FINGERPRINT)
        put("android", Build.VERSION.RELEASE)
        put("sdk", Build.VERSION.SDK_INT)
        put("abi", Build.SUPPORTED_ABIS.firstOrNull())
        put("cores", Runtime.getRuntime().availableProcessors())
    }

    private fun version(): String? = targetContext.packageManager.getPackageInfo(targetContext.packageName, 0).versionName

    private fun emit(event: JsonObject) = sendStatus(0, bundle(event))

    private fun bundle(event: JsonObject) = Bundle().apply { putString(KEY, event.toString()) }

    /** An app may read what it wrote into the system's log itself. What an earlier process of it wrote is not meant. */
    private fun ownLog(): List<String> = try {
        val process = ProcessBuilder("logcat", "-d", "--pid", "${Process.myPid()}", "-s", "tflite").redirectErrorStream(true).start()
        process.inputStream.bufferedReader().useLines { it.toList() }
    } catch (_: IOException) {
        emptyList()
    }

    companion object {
        const val KEY = "mbl"
        const val FORMAT = 1
    }
}
