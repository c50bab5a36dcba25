package org.mobilebertlite.demo

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.mobilebertlite.demo.benchmark.Delegation
import org.mobilebertlite.demo.model.Example
import org.mobilebertlite.demo.model.Examples
import org.mobilebertlite.demo.model.Expected
import org.mobilebertlite.demo.model.Memory
import org.mobilebertlite.demo.model.ModelSource
import org.mobilebertlite.interpreter.Accelerator
import org.mobilebertlite.interpreter.isOlder

/** What needs no Android. */
class PlainTest {
    @Test
    fun `the log tells what a delegate took`() {
        val log = listOf(
            "11-21 18:00:00.000  1234  1250 I tflite  : Initialized TensorFlow Lite runtime.",
            "11-21 18:00:00.100  1234  1250 I tflite  : Replacing 780 out of 789 node(s) with delegate " +
                "(TfLiteXNNPackDelegate) node, yielding 3 partitions for the whole graph.",
        )
        assertEquals(Delegation("TfLiteXNNPackDelegate", 789, 780, 3), Delegation.parse(log, Accelerator.CPU))
        assertEquals(Delegation("TfLiteXNNPackDelegate", 789, 780, 3), Delegation.parse(log, Accelerator.GPU))
        assertNull(Delegation.parse(log.take(1), Accelerator.CPU))
        val gpu = "Replacing 700 out of 789 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions."
        assertEquals(Delegation("TfLiteGpuDelegateV2", 789, 700, 1), Delegation.parse(listOf(gpu) + log, Accelerator.GPU))
    }

    @Test
    fun `versions of the interpreter are compared as numbers`() {
        assertTrue(isOlder("2.6.2", "2.10.0"))
        assertTrue(isOlder("2.16.1", "2.17.0"))
        for (present in listOf("2.17.0", "2.17.1", "2.20.0-dev0+selfbuilt", "3.0.0", "", "unknown")) {
            assertFalse(present, isOlder(present, "2.17.0"))
        }
        assertFalse(isOlder("2.6.2", ""))
    }

    @Test
    fun `memory is what the kernel counts`() {
        val memory = Memory.read()
        assertTrue(memory.now!! in 10_000_000..memory.peak!!)
        assertEquals(Memory(null, null), Memory.read(java.io.File("/proc/self/nothing")))
    }

    @Test
    fun `sources are saved and read`() {
        val all = listOf(
            ModelSource.Bundled("a.tflite"), ModelSource.Pushed("b c.tflite"), ModelSource.Document("content://x/1", "d.tflite"),
        )
        assertEquals(all, all.map { ModelSource.parse(it.save()) })
        assertNull(ModelSource.parse("something"))
    }

    @Test
    fun `examples are read and what is none is named`() {
        val read = Examples.parse(
            """{"task": "classification", "examples": [{"text": "a", "expected": {"name": "x", "probability": 0.5}}, {"text": "b", "pair": "c"}]}"""
        )
        assertEquals(Examples("classification", listOf(Example("a", "", Expected("x", 0.5)), Example("b", "c", null))), read)
        assertEquals("qa.examples.json", Examples.beside("qa.tflite"))
        for ((text, said) in listOf("{" to "no JSON", "{}" to "for which task", """{"task":"qa","examples":[{}]}""" to "no question")) {
            val message = assertThrows(IllegalArgumentException::class.java) { Examples.parse(text) }.message!!
            assertTrue(message, said in message)
        }
    }
}
