package org.mobilebertlite.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * A table of a flatbuffer that may be anybody's: every offset is checked against the file's end, and no vector is
 * longer than its reader allows. All tables of a file share one [Budget]. Throws [ProblemException].
 *
 * Source of the layout: flatbuffers' internals.md.
 */
internal class Table private constructor(
    private val content: ByteBuffer, private val position: Int, private val budget: Budget,
) {
    /** An unsigned 32-bit number that fits an Int, 0 by default. */
    fun uint(slot: Int): Int {
        val where = field(slot)
        return if (where == 0) 0 else unsigned(where)
    }

    /** A string, "" by default. */
    fun text(slot: Int): String {
        val bytes = bytes(slot, LONGEST_TEXT)
        return Charsets.UTF_8.decode(bytes).toString()
    }

    /** A string or a vector of bytes, empty by default. Nothing is copied. */
    fun bytes(slot: Int, most: Int): ByteBuffer {
        val (start, count) = vector(slot, 1, most)
        budget.spend(count)
        return content.slice(start, count)
    }

    /** A vector of tables, empty by default. */
    fun tables(slot: Int, most: Int): List<Table> {
        val (start, count) = vector(slot, 4, most)
        budget.spend(count)
        return List(count) { Table(content, target(start + 4 * it), budget) }
    }

    /** Table [index] of a vector of tables, or null. */
    fun table(slot: Int, index: Int, most: Int): Table? {
        val (start, count) = vector(slot, 4, most)
        return if (index in 0 until count) Table(content, target(start + 4 * index), budget) else null
    }

    /** A vector of 32-bit numbers, empty by default. */
    fun ints(slot: Int, most: Int): IntArray {
        val (start, count) = vector(slot, 4, most)
        budget.spend(count)
        return IntArray(count) { content.getInt(start + 4 * it) }
    }

    /** Where the elements of a vector begin, and how many there are. */
    private fun vector(slot: Int, width: Int, most: Int): Pair<Int, Int> {
        val where = field(slot)
        if (where == 0) return 0 to 0
        val start = target(where)
        val count = unsigned(start)
        if (count > most) damaged("a list of $count")
        if (start + 4L + width.toLong() * count > content.limit()) damaged("a list beyond the end of the file")
        return start + 4 to count
    }

    /** Where the value of [slot] stands; 0 where it is absent. */
    private fun field(slot: Int): Int {
        budget.spend(1)
        val table = position.toLong() - int(position)
        val size = short(table)
        val entry = 4L + 2 * slot
        if (entry + 2 > size) return 0
        val offset = short(table + entry)
        return if (offset == 0) 0 else position + offset
    }

    private fun target(where: Int): Int {
        val target = where.toLong() + unsigned(where)
        if (target > content.limit()) damaged("an offset beyond the end of the file")
        return target.toInt()
    }

    private fun unsigned(where: Int): Int {
        val value = int(where)
        if (value < 0) damaged("an offset of ${value.toUInt()}")
        return value
    }

    private fun int(where: Int): Int {
        if (where.toLong() + 4 > content.limit()) damaged("an offset beyond the end of the file")
        return content.getInt(where)
    }

    private fun short(where: Long): Int {
        if (where < 0 || where + 2 > content.limit()) damaged("a table outside the file")
        return content.getShort(where.toInt()).toInt() and 0xffff
    }

    companion object {
        private const val LONGEST_TEXT = 1 shl 20

        /** The root table of [content]. */
        fun root(content: ByteBuffer, budget: Budget = Budget()): Table {
            val own = content.duplicate().order(ByteOrder.LITTLE_ENDIAN)
            return Table(own, 0, budget).run { Table(own, target(0), budget) }
        }

        private fun ByteBuffer.slice(start: Int, count: Int): ByteBuffer {
            val part = duplicate()
            part.position(start)
            part.limit(start + count)
            return part.slice()
        }
    }
}

internal fun damaged(detail: String): Nothing = fail(Problem.Damaged(detail))
