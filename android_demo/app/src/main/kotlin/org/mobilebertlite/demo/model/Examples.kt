package org.mobilebertlite.demo.model

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject

/** What `mbl` answered to an example: an answer's text ("" for none) or a label, and its probability. */
data class Expected(val name: String, val probability: Double)

/** Texts to try a model with. [first] is a question or a text, [second] the text to search or the second of a pair. */
data class Example(val first: String, val second: String, val expected: Expected?)

/** A file of examples, as `mbl android assets` and `mbl bench` write them beside a model. */
data class Examples(val task: String, val examples: List<Example>) {
    companion object {
        /** The name of the examples beside model [name]. */
        fun beside(name: String): String = name.removeSuffix(ModelStore.SUFFIX) + ".examples.json"

        /** Throws IllegalArgumentException for what is no such file. */
        fun parse(text: String): Examples {
            val root = try {
                Json.parseToJsonElement(text).jsonObject
            } catch (exception: SerializationException) {
                throw IllegalArgumentException("the examples are no JSON: ${exception.message?.lineSequence()?.first()}")
            }
            val task = root.text("task") ?: throw IllegalArgumentException("the examples do not say for which task")
            val examples = root["examples"]?.jsonArray ?: throw IllegalArgumentException("there is no list of examples")
            return Examples(task, examples.map { example(task, it.jsonObject) })
        }

        private fun example(task: String, one: JsonObject): Example {
            val expected = one["expected"]?.jsonObject?.let { Expected(it.required("name"), it.number("probability")) }
            return if (task == Task.QUESTION.id) Example(one.required("question"), one.required("context"), expected)
            else Example(one.required("text"), one.text("pair").orEmpty(), expected)
        }

        private fun JsonObject.text(key: String) = (this[key] as? JsonPrimitive)?.contentOrNull

        private fun JsonObject.required(key: String) =
            text(key) ?: throw IllegalArgumentException("an example has no $key: ${toString().take(100)}")

        private fun JsonObject.number(key: String) = (this[key] as? JsonPrimitive)?.doubleOrNull
            ?: throw IllegalArgumentException("an example has no $key: ${toString().take(100)}")
    }
}
