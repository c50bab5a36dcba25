package org.mobilebertlite.core

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.util.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** What a stranger's file may cost: MBL_FUZZ_FILES says how many are read (`make test-android-fuzz`: thousands). */
class HostileFilesTest {
    private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    private val count = System.getenv("MBL_FUZZ_FILES")?.toInt() ?: 100

    private class Cost(val outcome: Outcome<ModelFile>, val seconds: Double, val allocated: Long)

    /** Reads [bytes] and, where they can be read, a text. What the thread allocates is no less than what it holds. */
    private fun cost(bytes: ByteArray): Cost {
        val id = Thread.currentThread().id
        val (nanos, before) = threads.currentThreadCpuTime to threads.getThreadAllocatedBytes(id)
        val outcome = ModelFile.read(ByteBuffer.wrap(bytes))
        (outcome as? Outcome.Success)?.value?.tokenizer?.encode("what is it?")
        return Cost(
            outcome, (threads.currentThreadCpuTime - nanos) / 1e9, threads.getThreadAllocatedBytes(id) - before,
        )
    }

    private fun check(what: String, bytes: ByteArray): Cost = cost(bytes).also {
        val problem = (it.outcome as? Outcome.Failure)?.problem
        assertTrue("$what: ${it.seconds} s, $problem", it.seconds < SECONDS)
        assertTrue("$what: ${it.allocated shr 20} MB, $problem", it.allocated < ALLOCATED + 8L * bytes.size)
        assertTrue(problem == null || problem.message.length <= 1000)
    }

    @Test
    fun `parts that refer to each other again and again cost nothing`() {
        // A signature reads its own inputs alone: as many as this is a file that is read in minutes without a budget.
        val found = check("shared", HostileFiles.shared(1000, 1_000_000))
        assertEquals(
            Problem.Damaged("its parts refer to each other again and again"), (found.outcome as Outcome.Failure).problem,
        )
        val small = cost(HostileFiles.shared(3, 3)).outcome
        assertEquals(Problem.Damaged("signature qa_64 takes no ids"), (small as Outcome.Failure).problem)
    }

    @Test
    fun `no file costs more than it may, whatever it holds`() {
        val parts = listOf("classification", "qa").map { Parts(Models.file(it).readBytes()) }
        for (one in parts) {
            assertTrue(one.description > 0 && one.offsets.size > 50 && one.counts.size > 20 && one.numbers.size > 5)
            // The parts together are the file again.
            assertTrue(cost(one.flat + HostileFiles.zip(one.files)).outcome is Outcome.Success)
        }
        val kinds = HashMap<String, Int>()
        var (slowest, largest) = 0.0 to 0L
        for (seed in 0 until count) {
            val bytes = HostileFiles(parts[seed % parts.size], Random(seed.toLong())).next()
            val found = check("seed $seed", bytes)
            slowest = maxOf(slowest, found.seconds)
            largest = maxOf(largest, found.allocated)
            val kind = (found.outcome as? Outcome.Failure)?.problem?.javaClass?.simpleName ?: "read"
            kinds[kind] = 1 + (kinds[kind] ?: 0)
        }
        println("$count files: $kinds; %.2f s and %d MB at most".format(slowest, largest shr 20))
        assertTrue("$kinds", kinds.size >= 4)
    }

    private companion object {
        const val SECONDS = 10.0
        const val ALLOCATED = 128L shl 20
    }
}
