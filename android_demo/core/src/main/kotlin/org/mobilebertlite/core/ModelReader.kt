package org.mobilebertlite.core

import java.nio.ByteBuffer
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull

/**
 * Reads the parts of a [ModelFile] out of a flatbuffer and the archive behind it. Throws [ProblemException].
 *
 * Slots are those of tensorflow/compiler/mlir/lite/schema/schema.fbs.
 */
internal class ModelReader(private val content: ByteBuffer) {
    fun read(): ModelFile {
        if (!ModelFile.isTflite(content)) fail(Problem.NotTflite)
        val model = Table.root(content)
        val text = entry(model, "mbl") ?: fail(Problem.NotOurs)
        val description = parse(text)
        val task = description.text("task") ?: fail(Problem.NotOurs)
        if (task.length > Budget.NAME) damaged("its task has ${task.length} letters")
        val form = description["form"] as? JsonObject
        val files = AppendedFiles(content)
        return ModelFile(
            task = task,
            problemType = problemType(form?.text("problem_type")),
            logits = (form?.get("logits") as? JsonPrimitive)?.booleanOrNull ?: false,
            signatures = signatures(model, task),
            tokenizer = Tokenizer(vocabulary(files), SettingsReader.ofDescription(description)),
            labels = files.read("labels.txt")?.let { labels(it) }.orEmpty(),
            provenance = text,
            minRuntimeVersion = description.word("min_runtime_version"),
            recipe = (description["recipe"] as? JsonObject)?.word("name").orEmpty(),
        )
    }

    private fun labels(data: ByteBuffer): List<String> =
        Vocabulary.lines(Charsets.UTF_8.decode(data), Budget.LABELS) ?: damaged("it has more than ${Budget.LABELS} labels")

    private fun vocabulary(files: AppendedFiles): Vocabulary = Vocabulary.parse(
        files.read("vocab.txt") ?: fail(Problem.BadVocabulary("the file carries no vocab.txt"))
    )

    /** The metadata entry [name] as text, or null. */
    private fun entry(model: Table, name: String): String? {
        val entry = model.tables(MODEL_METADATA, MOST_ENTRIES).find { it.text(METADATA_NAME) == name } ?: return null
        val buffer = model.table(MODEL_BUFFERS, entry.uint(METADATA_BUFFER), MOST_BUFFERS)
            ?: damaged("its description is missing")
        return Charsets.UTF_8.decode(buffer.bytes(BUFFER_DATA, Budget.DESCRIPTION)).toString()
    }

    private fun parse(text: String): JsonObject {
        if (nesting(text) > Budget.NESTING) damaged("its description is nested too deep")
        return try {
            Json.parseToJsonElement(text) as? JsonObject
        } catch (_: SerializationException) {
            null
        } ?: damaged("its description is no JSON object")
    }

    /** Length → signature of [task], the shortest first. */
    private fun signatures(model: Table, task: String): Map<Int, String> {
        val all = model.tables(MODEL_SIGNATURES, MOST_ENTRIES)
        val found = all.mapNotNull { signature ->
            val name = signature.text(SIGNATURE_KEY)
            val digits = name.removePrefix("${task}_")
            val length = if (digits != name && digits.length <= 5) digits.toIntOrNull() else null
            length?.also { checkLength(model, signature, name, it) }?.let { it to name }
        }
        if (found.isEmpty()) {
            fail(Problem.NoSignature(task, all.take(Budget.LISTED).map { it.text(SIGNATURE_KEY).take(Budget.NAME) }))
        }
        return found.sortedBy { it.first }.toMap()
    }

    private fun checkLength(model: Table, signature: Table, name: String, length: Int) {
        val graph = model.table(MODEL_SUBGRAPHS, signature.uint(SIGNATURE_SUBGRAPH), MOST_ENTRIES)
            ?: damaged("signature $name has no graph")
        val inputs = signature.tables(SIGNATURE_INPUTS, MOST_ENTRIES).associate { it.text(MAP_NAME) to it.uint(MAP_TENSOR) }
        for (input in listOf("ids", "mask", "segment_ids")) {
            val index = inputs[input] ?: damaged("signature $name takes no $input")
            val tensor = graph.table(SUBGRAPH_TENSORS, index, MOST_BUFFERS)
            val shape = tensor?.ints(TENSOR_SHAPE, 8) ?: damaged("signature $name takes no $input")
            if (shape.lastOrNull() != length) damaged("signature $name takes $input of ${shape.asList()}")
        }
    }

    private fun problemType(name: String?): ProblemType = when (name) {
        null, "single_label_classification" -> ProblemType.SINGLE_LABEL
        "multi_label_classification" -> ProblemType.MULTI_LABEL
        "regression" -> ProblemType.REGRESSION
        else -> fail(Problem.Newer("its outputs are of the kind ${name.take(Budget.NAME)}"))
    }

    private fun JsonObject.word(key: String): String = text(key).orEmpty().take(Budget.NAME)

    private fun JsonObject.text(key: String): String? = (this[key] as? JsonPrimitive)?.contentOrNull

    /** How deep objects and lists stand inside each other, so that no parser's stack overflows. */
    private fun nesting(text: String): Int {
        var depth = 0
        var deepest = 0
        for (letter in text) {
            if (letter == '{' || letter == '[') deepest = maxOf(deepest, ++depth)
            if (letter == '}' || letter == ']') depth--
        }
        return deepest
    }

    private companion object {
        const val MODEL_SUBGRAPHS = 2
        const val MODEL_BUFFERS = 4
        const val MODEL_METADATA = 6
        const val MODEL_SIGNATURES = 7
        const val BUFFER_DATA = 0
        const val METADATA_NAME = 0
        const val METADATA_BUFFER = 1
        const val SUBGRAPH_TENSORS = 0
        const val TENSOR_SHAPE = 0
        const val SIGNATURE_INPUTS = 0
        const val SIGNATURE_KEY = 2
        const val SIGNATURE_SUBGRAPH = 4
        const val MAP_NAME = 0
        const val MAP_TENSOR = 1

        // Far more than a MobileBERT has.
        const val MOST_ENTRIES = 1000
        const val MOST_BUFFERS = 100_000
    }
}
