package org.mobilebertlite.core

import java.io.File
import java.nio.ByteBuffer
import java.security.MessageDigest
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.double
import kotlinx.serialization.json.float
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** The cases that Python wrote: those of MBL_CASES, or the few that are kept here. */
object Cases {
    val folder: File = System.getenv("MBL_CASES")?.let(::File) ?: File("src/test/resources/cases")
    private val bundled = File("../../mobilebert_lite/data/demo/qa/vocab.txt")
    private val vocabularies by lazy {
        (File(folder, "vocabularies").listFiles().orEmpty().asList() + bundled).associate {
            val bytes = it.readBytes()
            sha256(bytes) to Vocabulary.parse(ByteBuffer.wrap(bytes))
        }
    }

    fun read(name: String): JsonObject {
        check(File(folder, name).exists()) { "no $name in $folder; scripts/shared_cases.py writes it" }
        return Json.parseToJsonElement(File(folder, name).readText()).jsonObject
    }

    fun vocabulary(file: JsonObject): Vocabulary = vocabulary(file.string("vocabulary"))

    fun vocabulary(sha256: String): Vocabulary = checkNotNull(vocabularies[sha256]) { "no vocabulary $sha256 in $folder" }

    fun sha256(bytes: ByteArray): String =
        MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
}

fun JsonObject.string(name: String): String = getValue(name).jsonPrimitive.content

fun JsonObject.int(name: String): Int = getValue(name).jsonPrimitive.int

fun JsonObject.double(name: String): Double = getValue(name).jsonPrimitive.double

fun JsonObject.bool(name: String): Boolean = getValue(name).jsonPrimitive.boolean

fun JsonObject.list(name: String): JsonArray = getValue(name).jsonArray

fun JsonObject.objects(name: String): List<JsonObject> = list(name).map { it.jsonObject }

fun JsonElement.ints(): List<Int> = jsonArray.map { it.jsonPrimitive.int }

fun JsonElement.strings(): List<String> = jsonArray.map { it.jsonPrimitive.content }

fun JsonElement.floats(): FloatArray = jsonArray.map { it.jsonPrimitive.float }.toFloatArray()

/** Places in code points, as Python counts, for places in UTF-16 units. */
class CodePoints(text: String) {
    private val before = IntArray(text.length + 1)

    init {
        for (i in text.indices) {
            val second = i > 0 && text[i].isLowSurrogate() && text[i - 1].isHighSurrogate()
            before[i + 1] = before[i] + if (second) 0 else 1
        }
    }

    /** -1, for what is nowhere, stays. */
    operator fun get(place: Int): Int = if (place < 0) place else before[place]
}

/** The first few of what is wrong, and how much there is. */
fun expectNone(wrong: List<String>, of: Int) {
    if (wrong.isNotEmpty()) throw AssertionError("${wrong.size} of $of differ:\n" + wrong.take(10).joinToString("\n"))
    check(of > 0) { "nothing was compared" }
}
