package org.mobilebertlite.core

import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Random
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

/** A `.tflite` file taken apart: the flatbuffer with the places of what refers to what, and what its archive holds. */
class Parts(model: ByteArray) {
    private val archive = model.indexOfLast("PK\u0003\u0004", model.indexOf("PK\u0003\u0004"))
    val flat: ByteArray = model.copyOf(archive)
    val files: Map<String, ByteArray> = AppendedFiles(ByteBuffer.wrap(model)).let { all ->
        all.names.associateWith { name -> all.read(name)!!.let { data -> ByteArray(data.remaining()).also(data::get) } }
    }

    // Places in the flatbuffer.
    val offsets = ArrayList<Int>()
    val counts = ArrayList<Int>()
    val numbers = ArrayList<Int>()
    val tables = ArrayList<Int>()
    private val content = ByteBuffer.wrap(flat).order(ByteOrder.LITTLE_ENDIAN)

    /** Where the offset to the description's bytes stands. */
    var description = 0

    init {
        offsets.add(0)
        walk(content.getInt(0), MODEL)
    }

    /** Follows what [ModelReader] follows. */
    private fun walk(table: Int, shape: Map<Int, Kind>) {
        tables.add(table)
        val vtable = table - content.getInt(table)
        for ((slot, kind) in shape) {
            val entry = 4 + 2 * slot
            if (entry + 2 > content.getShort(vtable)) continue
            val field = content.getShort(vtable + entry).toInt()
            if (field == 0) continue
            val place = table + field
            if (kind == Kind.Number) numbers.add(place) else follow(place, kind)
        }
    }

    private fun follow(place: Int, kind: Kind) {
        offsets.add(place)
        val start = place + content.getInt(place)
        counts.add(start)
        if (kind !is Kind.Tables) return
        for (i in 0 until minOf(content.getInt(start), MOST)) {
            val element = start + 4 + 4 * i
            offsets.add(element)
            val table = element + content.getInt(element)
            walk(table, kind.shape)
            if (kind.shape == BUFFER && isDescription(table)) description = offsets.last()
        }
    }

    private fun isDescription(table: Int): Boolean {
        val vtable = table - content.getInt(table)
        if (content.getShort(vtable) < 6 || content.getShort(vtable + 4).toInt() == 0) return false
        val place = table + content.getShort(vtable + 4)
        val start = place + content.getInt(place)
        return content.getInt(start) > 20 && flat[start + 4].toInt() == '{'.code
    }

    private sealed interface Kind {
        object Number : Kind
        object Bytes : Kind
        data class Tables(val shape: Map<Int, Kind>) : Kind
    }

    private companion object {
        const val MOST = 5000
        val BUFFER = mapOf(0 to Kind.Bytes)
        val TENSOR = mapOf(0 to Kind.Bytes)
        val ENTRY = mapOf(0 to Kind.Bytes, 1 to Kind.Number)
        val SIGNATURE = mapOf(0 to Kind.Tables(ENTRY), 2 to Kind.Bytes, 4 to Kind.Number)
        val MODEL = mapOf(
            2 to Kind.Tables(mapOf(0 to Kind.Tables(TENSOR))), 4 to Kind.Tables(BUFFER), 6 to Kind.Tables(ENTRY),
            7 to Kind.Tables(SIGNATURE),
        )

        fun ByteArray.indexOf(text: String, from: Int = 0): Int {
            val wanted = text.toByteArray()
            return (from..size - wanted.size).first { at -> wanted.indices.all { this[at + it] == wanted[it] } }
        }

        /** The archive is the last thing in a file, and begins with its first entry. */
        fun ByteArray.indexOfLast(text: String, first: Int): Int = indexOf(text, first)
    }
}

/** Files like those of [parts], each with something that no honest file has. */
class HostileFiles(private val parts: Parts, private val random: Random) {
    fun next(): ByteArray {
        var flat = parts.flat.clone()
        var archive: ByteArray? = null
        repeat(1 + random.nextInt(3)) {
            when (random.nextInt(8)) {
                0, 1 -> share(flat)
                2 -> put(flat, any(parts.counts), extreme())
                3 -> put(flat, any(parts.numbers), extreme())
                4 -> any(parts.tables).let { table -> put(flat, table, extreme()) }
                5 -> flat = grow(flat)
                6 -> archive = archive()
                else -> archive = damaged(archive ?: zip(parts.files))
            }
        }
        return flat + (archive ?: zip(parts.files))
    }

    /** Up to a thousand offsets that lead to one place. */
    private fun share(flat: ByteArray) {
        val from = random.nextInt(parts.offsets.size)
        val target = any(parts.offsets).let { it + get(parts.flat, it) }
        for (place in parts.offsets.drop(from).take(1 + random.nextInt(1000))) put(flat, place, target - place)
    }

    /** Something long at the end of the flatbuffer, and an offset or a description that leads there. */
    private fun grow(flat: ByteArray): ByteArray {
        val text = when (random.nextInt(7)) {
            0 -> "[".repeat(200_000)
            1 -> "{\"task\":\"classification\",\"x\":[" + "1,".repeat(300_000) + "1]}"
            2 -> "{\"task\":\"" + "q".repeat(500_000) + "\"}"
            3 -> "{\"task\":\"classification\",\"tokenizer\":{\"added_tokens\":[" +
                List(20_000) { "{\"content\":\"a$it\"}" }.joinToString() + "]}}"
            4 -> "{\"task\":\"classification\",\"min_runtime_version\":" + "9".repeat(100_000) + "}"
            5 -> "a".repeat(1_000_000)
            else -> "\u0000\ud83d\ude00".repeat(1000)
        }.toByteArray()
        val grown = flat.copyOf((flat.size + 3) / 4 * 4 + 16 + text.size)
        val vtable = (flat.size + 3) / 4 * 4
        // A table whose slot 0 is the text: as good for a buffer as for a name.
        val whole = ByteBuffer.wrap(grown).order(ByteOrder.LITTLE_ENDIAN)
        whole.putShort(vtable, 6).putShort(vtable + 2, 8).putShort(vtable + 4, 4)
        val table = vtable + 8
        val at = if (random.nextBoolean()) parts.description else any(parts.offsets)
        val longer = grown.copyOf(grown.size + 8)
        ByteBuffer.wrap(longer).order(ByteOrder.LITTLE_ENDIAN).putInt(table, table - vtable).putInt(table + 4, 4)
            .putInt(table + 8, text.size)
        text.copyInto(longer, table + 12)
        put(longer, at, (if (random.nextInt(4) > 0) table else table + 8) - at)
        return longer
    }

    /** Words and labels as no honest file has them, each in a few kilobytes. */
    private fun archive(): ByteArray {
        val lines = when (random.nextInt(7)) {
            0 -> "\n".repeat(3_900_000)
            1 -> "a\n".repeat(1_900_000)
            2 -> "b".repeat(4_000_000)
            3 -> "\n".repeat(60_000_000)
            4 -> "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + (0 until 400_000).joinToString("\n") { it.toString(36) }
            5 -> "[PAD]\n[UNK]\n[CLS]\n[SEP]\n" + "##".repeat(900_000)
            else -> "\ud83d\ude00\r\n".repeat(90_000)
        }.toByteArray()
        val name = if (random.nextBoolean()) "vocab.txt" else "labels.txt"
        return zip(parts.files + (name to lines))
    }

    private fun damaged(archive: ByteArray): ByteArray = archive.clone().also { bytes ->
        // The directory and its end, where every place and size stands.
        val from = maxOf(0, bytes.size - 150)
        repeat(1 + random.nextInt(6)) { bytes[from + random.nextInt(bytes.size - from)] = any(BYTES) }
    }

    private fun extreme(): Int = when (random.nextInt(4)) {
        0 -> random.nextInt()
        1 -> random.nextInt(5000)
        else -> any(listOf(-1, 0, 1, Int.MAX_VALUE, Int.MIN_VALUE, 999, 1000, 65_536, 99_999, 1 shl 20))
    }

    private fun <T> any(of: List<T>): T = of[random.nextInt(of.size)]

    companion object {
        private val BYTES = listOf<Byte>(0, 1, 8, 127, -128, -1)

        fun zip(files: Map<String, ByteArray>): ByteArray {
            val out = ByteArrayOutputStream()
            ZipOutputStream(out).use { zip ->
                for ((name, data) in files) {
                    zip.putNextEntry(ZipEntry(name))
                    zip.write(data)
                    zip.closeEntry()
                }
            }
            return out.toByteArray()
        }

        private fun get(bytes: ByteArray, place: Int): Int = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(place)

        private fun put(bytes: ByteArray, place: Int, value: Int) {
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(place, value)
        }

        /**
         * A file of [count] signatures that are one, with as many inputs that are one, whose name has [letters]: read
         * without a budget it costs the product of the three.
         */
        fun shared(count: Int, letters: Int): ByteArray {
            val out = Flat()
            val name = out.bytes("a".repeat(letters).toByteArray())
            val entry = out.table(name, null)
            val inputs = out.vector(List(count) { entry })
            val signature = out.table(inputs, null, out.bytes("qa_64".toByteArray()))
            val signatures = out.vector(List(count) { signature })
            val buffers = out.vector(listOf(out.table(out.bytes("{\"task\":\"qa\"}".toByteArray()))))
            val metadata = out.vector(listOf(out.table(out.bytes("mbl".toByteArray()), null)))
            val graphs = out.vector(listOf(out.table(out.vector(emptyList()))))
            val files = mapOf("vocab.txt" to "[PAD]\n[UNK]\n[CLS]\n[SEP]\n".toByteArray())
            return out.finish(out.table(null, null, graphs, null, buffers, null, metadata, signatures)) + zip(files)
        }
    }
}

/** Writes a flatbuffer from its end, so that offsets lead forwards: places count from the end. */
private class Flat {
    private var bytes = ByteArray(1 shl 16)
    private var used = 0

    fun bytes(data: ByteArray): Int {
        align()
        prepend(ByteArray(4 - data.size % 4))
        prepend(data)
        return number(data.size)
    }

    fun vector(targets: List<Int>): Int {
        for (target in targets.asReversed()) offset(target)
        return number(targets.size)
    }

    /** A table with these offsets in its slots. */
    fun table(vararg slots: Int?): Int {
        for (target in slots.reversed()) if (target == null) number(0) else offset(target)
        val table = number(4 + 2 * slots.size + (if (slots.size % 2 == 0) 0 else 2))
        val entries = ByteBuffer.allocate(bytes(slots.size)).order(ByteOrder.LITTLE_ENDIAN)
        entries.putShort((4 + 2 * slots.size).toShort()).putShort((4 + 4 * slots.size).toShort())
        for (i in slots.indices) entries.putShort(if (slots[i] == null) 0 else (4 + 4 * i).toShort())
        prepend(entries.array())
        return table
    }

    fun finish(root: Int): ByteArray {
        prepend("TFL3".toByteArray())
        offset(root)
        return bytes.copyOfRange(bytes.size - used, bytes.size)
    }

    private fun bytes(slots: Int) = 4 + 2 * slots + (if (slots % 2 == 0) 0 else 2)

    private fun align() = prepend(ByteArray((4 - used % 4) % 4))

    private fun offset(target: Int): Int = number(used + 4 - target)

    private fun number(value: Int): Int {
        prepend(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array())
        return used
    }

    private fun prepend(data: ByteArray) {
        while (used + data.size > bytes.size) {
            val larger = ByteArray(2 * bytes.size)
            bytes.copyInto(larger, larger.size - bytes.size)
            bytes = larger
        }
        used += data.size
        data.copyInto(bytes, bytes.size - used)
    }
}
