package org.mobilebertlite.demo

import android.content.ComponentCallbacks2
import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilebertlite.core.Outcome
import org.mobilebertlite.demo.Screen.Companion.folder
import org.mobilebertlite.demo.model.Loaded
import org.mobilebertlite.interpreter.Settings
import org.robolectric.RobolectricTestRunner

/** A phone that runs out of memory, or wants some back. */
@RunWith(RobolectricTestRunner::class)
class MemoryTest {
    @Before
    fun library() {
        Desktop.model("qa-old")
    }

    private val tooLittle = "There is not enough memory. Close other apps, or choose a smaller model or a shorter text."

    /** Takes all that the virtual machine gives to direct buffers (pom.xml limits it), which inputs and outputs need. */
    private fun exhaust(): MutableList<ByteBuffer> {
        val taken = ArrayList<ByteBuffer>()
        for (size in listOf(1 shl 20, 1 shl 10, 1)) {
            try {
                while (true) taken.add(ByteBuffer.allocateDirect(size))
            } catch (_: OutOfMemoryError) {
                // Smaller ones may fit.
            }
        }
        return taken
    }

    @Test
    fun `too little memory to run`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        val taken = exhaust()
        screen.askKnown()
        assertTrue(taken.sumOf { it.capacity() } > (1 shl 20))
        assertEquals(tooLittle, screen.said(screen.question, R.id.problem))
        taken.clear()
        assertTrue(screen.askKnown().isNotEmpty())
    }

    @Test
    fun `too little memory to load`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        var outcome: Outcome<Loaded>? = null
        screen.activity.session.engine.load(Settings(), { ByteBuffer.allocateDirect(Int.MAX_VALUE) }) { outcome = it }
        screen.await("the refusal") { outcome != null }
        assertEquals(tooLittle, (outcome as Outcome.Failure).problem.message)
        // Another model is loaded as ever.
        screen.chooseModel("classification.tflite")
        screen.ask(screen.text, "Play some music")
        assertTrue(screen.rows(screen.text).isNotEmpty())
    }

    /** The system wants memory back: the model's file is taken away to see whether it is read again. */
    private fun afterwards(wanted: (Screen) -> Unit): Screen {
        val file = push(folder, Desktop.model("qa-old"), "pushed.tflite")
        return Screen().also { screen ->
            screen.chooseModel("pushed.tflite")
            screen.askKnown()
            wanted(screen)
            file.delete()
            // What is asked twice is answered anew.
            screen.press(screen.question)
            screen.awaitResult(screen.question)
        }
    }

    @Test
    @Suppress("DEPRECATION")
    fun `the model is given back when the system is low on memory`() {
        for (wanted in listOf<(Screen) -> Unit>(
            { it.activity.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE) }, { it.activity.onLowMemory() },
        )) afterwards(wanted).use { screen ->
            assertEquals(
                "pushed.tflite cannot be read: it is no longer there. Choose it again, or another model.",
                screen.said(screen.question, R.id.problem),
            )
            push(folder, Desktop.model("qa-old"), "pushed.tflite")
            assertTrue(screen.askKnown().isNotEmpty())
        }
    }

    @Test
    fun `an app that is merely out of sight keeps its model`() =
        afterwards { it.activity.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN) }.use { screen ->
            assertTrue(screen.rows(screen.question).isNotEmpty())
        }

    @Test
    fun `a question that runs is answered before memory is given back`() = Screen().use { screen ->
        screen.askLong()
        val done = screen.reading.done
        screen.activity.onLowMemory()
        screen.await("more of the text") { screen.reading.done > done + 1 }
        screen.press(screen.question)
        assertEquals("Cancelled.", screen.said(screen.question, R.id.problem))
        assertTrue(screen.askKnown().isNotEmpty())
    }
}
