package org.mobilebertlite.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater

/**
 * The zip archive at the end of a model file, which may be anybody's: nothing is written anywhere, every place is
 * checked, and a file that unpacks to more than a [Budget] allows is refused. Source of the layout: PKWARE's APPNOTE.
 */
internal class AppendedFiles(content: ByteBuffer) {
    private val content = content.duplicate().order(ByteOrder.LITTLE_ENDIAN)
    private val entries = HashMap<String, Int>()

    // What stands before the archive, where its places are counted from the archive's own beginning.
    private var shift = 0L

    init {
        val end = endRecord()
        if (end >= 0) readDirectory(end)
    }

    val names: Set<String> get() = entries.keys

    /** The bytes of file [name], or null. Throws [ProblemException] when they are damaged. */
    fun read(name: String): ByteBuffer? {
        val entry = entries[name] ?: return null
        if (short(entry + 8) and ENCRYPTED != 0) damaged("$name is encrypted")
        val packed = int(entry + 20)
        val size = int(entry + 24)
        if (maxOf(packed, size) > Budget.UNPACKED) damaged("$name unpacks to more than ${Budget.UNPACKED shr 20} MiB")
        val header = shift + int(entry + 42)
        if (header + 30 > content.limit() || int(header.toInt()) != LOCAL) damaged("$name is not where the list says")
        val start = header + 30 + short(header.toInt() + 26) + short(header.toInt() + 28)
        if (start + packed > content.limit()) damaged("$name is cut short")
        val raw = ByteArray(packed.toInt())
        content.duplicate().apply { position(start.toInt()) }.get(raw)
        val data = unpack(name, raw, short(entry + 10), size.toInt())
        if (CRC32().apply { update(data) }.value != int(entry + 16)) damaged("$name has changed")
        return ByteBuffer.wrap(data)
    }

    private fun unpack(name: String, raw: ByteArray, method: Int, size: Int): ByteArray = when (method) {
        STORED -> if (raw.size == size) raw else damaged("$name is cut short")
        DEFLATED -> inflate(name, raw, size)
        else -> damaged("$name is packed by method $method")
    }

    private fun inflate(name: String, raw: ByteArray, size: Int): ByteArray {
        val inflater = Inflater(true)
        val data = ByteArray(size)
        try {
            inflater.setInput(raw)
            var filled = 0
            while (filled < size) {
                val count = inflater.inflate(data, filled, size - filled)
                if (count == 0) damaged("$name is cut short")
                filled += count
            }
        } catch (_: DataFormatException) {
            damaged("$name cannot be unpacked")
        } finally {
            inflater.end()
        }
        return data
    }

    /** The place of the record that ends an archive, or -1 where there is none. */
    private fun endRecord(): Int {
        val earliest = maxOf(0, content.limit() - END_SIZE - 0xffff)
        for (place in content.limit() - END_SIZE downTo earliest) {
            if (int(place) == END && place + END_SIZE + short(place + 20) == content.limit()) return place
        }
        return -1
    }

    private fun readDirectory(end: Int) {
        val size = int(end + 12)
        val directory = end - size
        shift = directory - int(end + 16)
        if (directory < 0 || shift < 0) damaged("the list of appended files is outside the file")
        var place = directory
        repeat(short(end + 10)) {
            if (place + ENTRY_SIZE > end || int(place.toInt()) != ENTRY) damaged("the list of appended files")
            val name = short(place.toInt() + 28)
            val next = place + ENTRY_SIZE + name + short(place.toInt() + 30) + short(place.toInt() + 32)
            if (next > end) damaged("the list of appended files")
            val bytes = ByteArray(name)
            content.duplicate().apply { position(place.toInt() + ENTRY_SIZE) }.get(bytes)
            entries[String(bytes, Charsets.UTF_8)] = place.toInt()
            place = next
        }
    }

    private fun short(place: Int): Int = content.getShort(place).toInt() and 0xffff

    private fun int(place: Int): Long = content.getInt(place).toLong() and 0xffffffffL

    private companion object {
        const val LOCAL = 0x04034b50L
        const val ENTRY = 0x02014b50L
        const val END = 0x06054b50L
        const val ENTRY_SIZE = 46
        const val END_SIZE = 22
        const val ENCRYPTED = 1
        const val STORED = 0
        const val DEFLATED = 8
    }
}
