package org.mobilebertlite.demo.test

import android.app.Activity
import android.os.Bundle
import org.mobilebertlite.demo.benchmark.BenchmarkInstrumentation
import org.mobilebertlite.demo.benchmark.Request

/**
 * The benchmark for device farms, which want a package of tests beside the app's own. To them it is one JUnit test, so
 * that they show whether it came to its end; the findings are the same lines.
 */
open class FarmInstrumentation : BenchmarkInstrumentation() {
    override fun onStart() {
        tell(STARTED)
        super.onStart()
    }

    /** A farm adds arguments of its own. */
    override fun given(arguments: Bundle): Map<String, String> = super.given(arguments).filterKeys { it in Request.NAMES }

    override fun end(code: Int, last: Bundle) {
        val passed = code == Activity.RESULT_OK
        tell(if (passed) PASSED else FAILED, if (passed) null else last.getString(KEY))
        super.end(code, last)
    }

    private fun tell(status: Int, trace: String? = null) = sendStatus(status, Bundle().apply {
        putString("id", "AndroidJUnitRunner")
        putString("class", FarmInstrumentation::class.java.name)
        putString("test", "benchmark")
        putInt("numtests", 1)
        putInt("current", 1)
        if (trace != null) putString("stack", trace)
    })

    private companion object {
        // Of AndroidJUnitRunner, which farms read.
        const val STARTED = 1
        const val PASSED = 0
        const val FAILED = -2
    }
}
