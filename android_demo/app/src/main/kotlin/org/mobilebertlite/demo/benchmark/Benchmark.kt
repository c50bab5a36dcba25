package org.mobilebertlite.demo.benchmark

import java.io.File
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.security.MessageDigest
import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject
import org.mobilebertlite.core.Model
import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.Runner
import org.mobilebertlite.core.orThrow
import org.mobilebertlite.demo.model.Examples
import org.mobilebertlite.demo.model.Memory
import org.mobilebertlite.interpreter.openInterpreter

/**
 * Measures a model as [request] says and hands each finding to [emit] as soon as there is one.
 *
 * Moments count from [begin], of [System.nanoTime]. Times are of the interpreter alone, in microseconds; the first
 * inference is told by itself. The events are described in android_demo/README.md. Throws IllegalArgumentException and
 * ProblemException, with a message for a person.
 */
class Benchmark(
    private val request: Request,
    private val begin: Long,
    private val log: () -> List<String>,
    private val emit: (JsonObject) -> Unit,
) {
    fun run() {
        event("request") { for ((name, value) in request.toJson()) put(name, value) }
        val content = map(request.model)
        val file = ModelFile.read(content).orThrow()
        val examples = request.expected?.let { Examples.parse(it.readText()) }
        require(examples == null || examples.task == file.task) { "the texts are for ${examples?.task}, the model for ${file.task}" }
        tellModel(content, file)
        val beforeLoad = System.nanoTime()
        openInterpreter(content, request.settings).use { interpreter ->
            val loaded = System.nanoTime() - beforeLoad
            val texts = firstWindows(file, examples?.examples.orEmpty(), request.signature)
            val first = texts.at(0)
            val firstNanos = time { interpreter.run(first.signature, first.arrays) }
            tellLoad(loaded, firstNanos)
            measure(interpreter, texts)
            if (examples != null && request.check) check(Model(file, interpreter), examples)
        }
        event("end") { putMemory() }
    }

    private fun List<Input>.at(index: Int): Input = get(((request.first.toLong() + index) % size).toInt())

    private fun measure(interpreter: Runner, texts: List<Input>) {
        for (i in 0 until request.warmUp) texts.at(i).let { interpreter.run(it.signature, it.arrays) }
        val start = System.nanoTime()
        var done = 0
        while (done < request.runs || System.nanoTime() - start < request.seconds * 1e9) {
            val text = texts.at(done)
            val at = System.nanoTime()
            val nanos = time { interpreter.run(text.signature, text.arrays) }
            event("sample") {
                put("index", done)
                put("signature", text.signature)
                put("tokens", text.tokens)
                put("at_us", (at - begin) / 1e3)
                put("us", nanos / 1e3)
            }
            done++
        }
    }

    /** The answers of the whole way from text to answer, beside what was expected. */
    private fun check(model: Model, examples: Examples) {
        val asked = examples.examples.filter { it.expected != null }
        val said = asked.mapIndexed { i, one ->
            // Many texts take a while, in which the host would hear nothing.
            event("progress") { put("done", i); put("total", asked.size) }
            ask(model, examples.task, one)
        }
        val (same, different) = asked.indices.partition { said[it]?.name == asked[it].expected!!.name }
        event("check") {
            put("total", asked.size)
            put("same", same.size)
            put("largest_difference", same.maxOfOrNull { abs(said[it]!!.probability - asked[it].expected!!.probability) } ?: 0.0)
            putJsonArray("different") {
                for (i in different) addJsonObject {
                    put("index", i)
                    put("expected", asked[i].expected!!.name)
                    put("said", said[i]?.name)
                    put("probability", said[i]?.probability)
                    put("of_expected", said[i]?.ofExpected)
                }
            }
        }
    }

    private fun tellModel(content: ByteBuffer, file: ModelFile) = event("model") {
        put("name", request.model.name)
        put("bytes", content.capacity())
        put("sha256", sha256(content))
        put("task", file.task)
        put("recipe", file.recipe)
        putJsonObject("signatures") { for ((length, name) in file.signatures) put(name, length) }
    }

    private fun tellLoad(load: Long, first: Long) = event("load") {
        put("accelerator", request.settings.accelerator.id)
        put("threads", request.settings.threads)
        put("load_us", load / 1e3)
        put("first_us", first / 1e3)
        val delegation = Delegation.parse(log(), request.settings.accelerator)
        if (delegation == null) put("delegation", null as String?) else putJsonObject("delegation") {
            put("delegate", delegation.delegate)
            put("nodes", delegation.nodes)
            put("delegated", delegation.delegated)
            put("partitions", delegation.partitions)
        }
        putMemory()
    }

    private fun JsonObjectBuilder.putMemory() {
        val memory = Memory.read()
        put("memory_bytes", memory.now)
        put("peak_memory_bytes", memory.peak)
    }

    private fun event(name: String, body: JsonObjectBuilder.() -> Unit) = emit(buildJsonObject {
        put("event", name)
        body()
    })

    private inline fun time(body: () -> Unit): Long {
        val begin = System.nanoTime()
        body()
        return System.nanoTime() - begin
    }

    private companion object {
        fun map(file: File): ByteBuffer = FileInputStream(file).use {
            it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.channel.size())
        }

        fun sha256(content: ByteBuffer): String = MessageDigest.getInstance("SHA-256")
            .apply { update(content.duplicate().apply { rewind() }) }.digest().joinToString("") { "%02x".format(it) }
    }
}
