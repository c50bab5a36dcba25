package org.mobilebertlite.demo.benchmark

import java.io.File
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import org.mobilebertlite.interpreter.Accelerator
import org.mobilebertlite.interpreter.Settings

/** What a host asks for with `-e name value`. */
data class Request(
    val model: File,
    val settings: Settings,
    /** Inferences that are timed, after [warmUp] that are not; more when they take less than [seconds] together. */
    val runs: Int,
    val warmUp: Int,
    val seconds: Double,
    /** The signature to time on every text, or null for each text the shortest that holds it. */
    val signature: String?,
    /** Texts with what `mbl` answered to them, or null. */
    val expected: File?,
    /** Whether the answers are compared with those; the texts are timed in any case. */
    val check: Boolean,
    /** The text to begin with, from 0; beyond the last it goes on with the first. */
    val first: Int,
) {
    /** What was understood, by the arguments' names. */
    fun toJson(): JsonObject = buildJsonObject {
        put("model", model.path)
        put("accelerator", settings.accelerator.id)
        put("threads", settings.threads)
        put("warmup", warmUp)
        put("runs", runs)
        put("seconds", seconds)
        put("signature", signature)
        put("expected", expected?.path)
        put("check", check)
        put("first", first)
    }

    companion object {
        /** Of all arguments. */
        val NAMES: Set<String> = setOf(
            "model", "accelerator", "threads", "runs", "warmup", "seconds", "signature", "expected", "check", "first",
        )

        // What am itself hands over.
        private val OTHERS = setOf("class", "debug", "coverage", "waitForDebugger")

        /** [folder] is where names without a path are looked for. Throws IllegalArgumentException. */
        fun parse(arguments: Map<String, String>, folder: File): Request {
            val unknown = arguments.keys - NAMES - OTHERS
            require(unknown.isEmpty()) { "unknown arguments ${unknown.sorted()}; there are ${NAMES.sorted()}" }
            val model = arguments["model"] ?: throw IllegalArgumentException("no model; add -e model FILE.tflite")
            val wanted = arguments["accelerator"] ?: Accelerator.CPU.id
            val accelerator = Accelerator.entries.find { it.id == wanted }
                ?: throw IllegalArgumentException("accelerator $wanted; there are ${Accelerator.entries.map { it.id }}")
            return Request(
                file(folder, model),
                Settings(accelerator, whole(arguments, "threads", Settings.defaultThreads(), 1..64)),
                whole(arguments, "runs", 50, 1..1_000_000),
                whole(arguments, "warmup", 5, 0..1000),
                arguments["seconds"]?.let { seconds(it) } ?: 0.0,
                arguments["signature"],
                arguments["expected"]?.let { file(folder, it) },
                arguments["check"]?.let { truth("check", it) } ?: true,
                whole(arguments, "first", 0, 0..Int.MAX_VALUE),
            )
        }

        private fun file(folder: File, name: String): File {
            val file = if (name.startsWith("/")) File(name) else File(folder, name)
            require(file.isFile) { "no file $file that the app can read; push it to $folder" }
            return file
        }

        private fun whole(arguments: Map<String, String>, name: String, default: Int, range: IntRange): Int {
            val text = arguments[name] ?: return default
            return text.toIntOrNull()?.takeIf { it in range }
                ?: throw IllegalArgumentException("$name $text; it must be from ${range.first} to ${range.last}")
        }

        private fun truth(name: String, text: String): Boolean =
            text.toBooleanStrictOrNull() ?: throw IllegalArgumentException("$name $text; it must be true or false")

        private fun seconds(text: String): Double = text.toDoubleOrNull()?.takeIf { it in 0.0..3600.0 }
            ?: throw IllegalArgumentException("seconds $text; it must be from 0 to 3600")
    }
}
