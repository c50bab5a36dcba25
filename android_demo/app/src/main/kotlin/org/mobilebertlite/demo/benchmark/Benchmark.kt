package org.mobilebertlite.demo.benchmark

import java.io.File
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.security.MessageDigest
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject
import org.mobilebertlite.core.Model
import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.Outcome
import org.mobilebertlite.core.Runner
import org.mobilebertlite.core.Timed
import org.mobilebertlite.core.orNull
import org.mobilebertlite.core.orThrow
import org.mobilebertlite.demo.model.Example
import org.mobilebertlite.demo.model.Examples
import org.mobilebertlite.demo.model.Memory
import org.mobilebertlite.interpreter.openInterpreter

/**
 * Measures a model as [request] says and hands each finding to [emit] as soon as there is one.
 *
 * Times are of the interpreter alone, in microseconds; the first inference is told by itself. The events are described in
 * android_demo/README.md. Throws IllegalArgumentException and ProblemException, with a message for a person.
 */
class Benchmark(private val request: Request, private val log: () -> List<String>, private val emit: (JsonObject) -> Unit) {
    fun run() {
        val content = map(request.model)
        val file = ModelFile.read(content).orThrow()
        val examples = request.expected?.let { Examples.parse(it.readText()) }
        require(examples == null || examples.task == file.task) { "the texts are for ${examples?.task}, the model for ${file.task}" }
        tellModel(content, file)
        val begin = System.nanoTime()
        openInterpreter(content, request.settings).use { interpreter ->
            val loaded = System.nanoTime() - begin
            val texts = inputs(file, examples?.examples.orEmpty())
            val (signature, first) = texts.first()
            val firstNanos = time { interpreter.run(signature, first) }
            tellLoad(loaded, firstNanos)
            measure(interpreter, texts)
            if (examples != null) check(Model(file, interpreter), examples)
        }
        event("end") { putMemory() }
    }

    /** The inputs of each text's first window; where there is no text, one of the vocabulary's first words. */
    private fun inputs(file: ModelFile, examples: List<Example>): List<Pair<String, Map<String, IntArray>>> {
        val wanted = request.signature
        require(wanted == null || wanted in file.signatures.values) { "no signature $wanted; there are ${file.signatures.values}" }
        val recorded = ArrayList<Pair<String, Map<String, IntArray>>>()
        val recorder = Model(file, Runner { signature, inputs ->
            recorded.add(signature to inputs)
            throw IllegalStateException("recorded")
        })
        for (example in examples) ask(recorder, file.task, example)
        val fitting = recorded.filter { wanted == null || it.first == wanted }
        return fitting.ifEmpty { listOf(filled(file, wanted ?: file.signatures.getValue(file.longest))) }
    }

    private fun filled(file: ModelFile, signature: String): Pair<String, Map<String, IntArray>> {
        val length = file.signatures.entries.first { it.value == signature }.key
        val ids = IntArray(length) { it % file.vocabulary.words.size }
        return signature to mapOf("ids" to ids, "mask" to IntArray(length) { 1 }, "segment_ids" to IntArray(length))
    }

    private fun measure(interpreter: Runner, texts: List<Pair<String, Map<String, IntArray>>>) {
        for (i in 0 until request.warmUp) texts[i % texts.size].let { (signature, inputs) -> interpreter.run(signature, inputs) }
        val begin = System.nanoTime()
        var done = 0
        while (done < request.runs || System.nanoTime() - begin < request.seconds * 1e9) {
            val (signature, inputs) = texts[done % texts.size]
            val nanos = time { interpreter.run(signature, inputs) }
            event("sample") {
                put("index", done)
                put("signature", signature)
                put("us", nanos / 1e3)
            }
            done++
        }
    }

    /** The answers of the whole way from text to answer, beside what was expected. */
    private fun check(model: Model, examples: Examples) {
        val asked = examples.examples.filter { it.expected != null }
        val said = asked.map { ask(model, examples.task, it) }
        val same = asked.indices.count { said[it]?.first == asked[it].expected!!.name }
        event("check") {
            put("total", asked.size)
            put("same", same)
            put("largest_difference", asked.indices.filter { said[it]?.first == asked[it].expected!!.name }
                .maxOfOrNull { Math.abs(said[it]!!.second - asked[it].expected!!.probability) } ?: 0.0)
            putJsonArray("different") {
                for (i in asked.indices.filter { said[it]?.first != asked[it].expected!!.name }.take(MOST)) addJsonObject {
                    put("index", i)
                    put("expected", asked[i].expected!!.name)
                    put("said", said[i]?.first)
                }
            }
        }
    }

    /** The best answer or label with its probability, or null where there is none. */
    private fun ask(model: Model, task: String, example: Example): Pair<String, Double>? = when (task) {
        "qa" -> model.answer(example.first, example.second).value()?.first()?.let { it.text to it.probability }
        "classification" ->
            model.classify(example.first, example.second.ifEmpty { null }).value()?.first()?.let { it.name to it.probability }
        else -> throw IllegalArgumentException("no texts can be checked for $task; leave out expected")
    }

    private fun <T> Outcome<Timed<T>>.value(): T? = orNull()?.value

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
        val delegation = Delegation.parse(log())
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
        /** Wrong answers that are told. */
        const val MOST = 10

        fun map(file: File): ByteBuffer = FileInputStream(file).use {
            it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.channel.size())
        }

        fun sha256(content: ByteBuffer): String = MessageDigest.getInstance("SHA-256")
            .apply { update(content.duplicate().apply { rewind() }) }.digest().joinToString("") { "%02x".format(it) }
    }
}
