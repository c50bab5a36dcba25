package org.mobilebertlite.demo

import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assume.assumeTrue

/** The interpreter of this desktop, and models that it can run. */
object Desktop {
    private val folder: File? = System.getenv("MBL_CASES")?.let { File(it, "models") }

    /** The library of the classes under org.tensorflow.lite, which Android would find in the package. */
    private val library: Unit by lazy {
        val copy = File.createTempFile("tflite", ".so").apply { deleteOnExit() }
        Desktop::class.java.getResourceAsStream("/native/lib/libtensorflowlite_jni.so")!!.use { from ->
            copy.outputStream().use { from.copyTo(it) }
        }
        System.load(copy.path)
    }

    /** A real model that Python converted; tests without it are skipped. */
    fun model(name: String): File {
        assumeTrue("no models: `make test-android` converts some", folder?.isDirectory == true)
        library
        return File(folder, "$name.tflite")
    }

    /** A text that `mbl run` was given with model [name], and the answer it printed first. */
    fun case(name: String): JsonObject {
        model(name)
        val models = Json.parseToJsonElement(File(folder, "../models.json").readText()).jsonObject.getValue("models").jsonArray
        return models.map { it.jsonObject }.first { it.getValue("name").jsonPrimitive.content == name }
            .getValue("cases").jsonArray.map { it.jsonObject }
            .first { one -> one.best()["text"]?.jsonPrimitive?.content != "" && one.toString().all { it.code < 128 } }
    }
}

fun JsonObject.text(key: String): String = getValue(key).jsonPrimitive.content

/** The best answer or label. */
fun JsonObject.best(): JsonObject = getValue("result").jsonArray.first().jsonObject
