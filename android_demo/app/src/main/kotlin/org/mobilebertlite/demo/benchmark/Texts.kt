package org.mobilebertlite.demo.benchmark

import org.mobilebertlite.core.Model
import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.Outcome
import org.mobilebertlite.core.Runner
import org.mobilebertlite.core.Timed
import org.mobilebertlite.core.orNull
import org.mobilebertlite.demo.model.Example

/** The first window of a text, for the [signature] that reads it. */
class Input(val signature: String, val arrays: Map<String, IntArray>) {
    /** Without padding. */
    val tokens: Int get() = arrays.getValue("mask").sum()
}

/** The best answer or label, and the probability of the expected one, or null where it does not come up. */
class Said(val name: String, val probability: Double, val ofExpected: Double?)

/**
 * The first window of each example, for [signature], or (null) for the shortest that holds it. Where there is no example,
 * one of the vocabulary's first words. Throws IllegalArgumentException for a signature that [file] does not have.
 */
fun firstWindows(file: ModelFile, examples: List<Example>, signature: String?): List<Input> {
    require(signature == null || signature in file.signatures.values) {
        "no signature $signature; there are ${file.signatures.values}"
    }
    val recorded = ArrayList<Input>()
    val recorder = Model(if (signature == null) file else file.only(signature), Runner { name, arrays ->
        recorded.add(Input(name, arrays))
        throw IllegalStateException("recorded")
    })
    for (example in examples) ask(recorder, file.task, example)
    return recorded.ifEmpty { listOf(filled(file, signature ?: file.signatures.getValue(file.longest))) }
}

private fun filled(file: ModelFile, signature: String): Input {
    val length = file.signatures.entries.first { it.value == signature }.key
    val ids = IntArray(length) { it % file.vocabulary.words.size }
    return Input(signature, mapOf("ids" to ids, "mask" to IntArray(length) { 1 }, "segment_ids" to IntArray(length)))
}

/** What [model] says to [example]; null where it cannot. Throws IllegalArgumentException for tasks without a screen. */
fun ask(model: Model, task: String, example: Example): Said? = when (task) {
    "qa" -> model.answer(example.first, example.second).value()?.map { it.text to it.probability }
    "classification" ->
        model.classify(example.first, example.second.ifEmpty { null }).value()?.map { it.name to it.probability }
    else -> throw IllegalArgumentException("no texts can be checked for $task; leave out expected")
}?.let { all ->
    val (name, probability) = all.first()
    Said(name, probability, all.find { it.first == example.expected?.name }?.second)
}

private fun <T> Outcome<Timed<T>>.value(): T? = orNull()?.value
