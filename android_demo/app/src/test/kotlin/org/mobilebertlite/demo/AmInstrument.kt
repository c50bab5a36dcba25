package org.mobilebertlite.demo

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/**
 * No test of its own: the app behind the `am` of a phone that is none (tests/device), which starts a JVM with the words
 * of its command in MBL_AM, as JSON, and passes on what this prints.
 */
@RunWith(RobolectricTestRunner::class)
class AmInstrument {
    @Test
    fun instrument() {
        val words = Json.parseToJsonElement(System.getenv("MBL_AM")).jsonArray.map { it.jsonPrimitive.content }
        Desktop.model("qa-old")
        // JUnit stopped in the middle of a line.
        println()
        Recorded(::println).start(words.chunked(3).associate { (_, name, value) -> name to value })
    }
}
