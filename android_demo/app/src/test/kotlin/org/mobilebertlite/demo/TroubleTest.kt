package org.mobilebertlite.demo

import android.content.res.Configuration
import android.os.Bundle
import android.os.Parcel
import android.view.View
import android.widget.EditText
import android.widget.Spinner
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

/** What goes wrong, and what the person then reads. */
@RunWith(RobolectricTestRunner::class)
class TroubleTest {
    @Before
    fun library() {
        Desktop.model("qa-old")
    }

    @Test
    fun `an empty question`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        for (empty in listOf("", " \n\t")) {
            screen.ask(screen.question, empty, "Some text.")
            assertEquals("The question is empty. Write some words.", screen.said(screen.question, R.id.problem))
        }
        assertEquals(0, screen.rows(screen.question).size)
        // The message goes with the next question.
        assertTrue(screen.askKnown().isNotEmpty())
        assertEquals(View.GONE, screen.question.find<View>(R.id.problem).visibility)
    }

    @Test
    fun `an empty text`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.ask(screen.question, "Who is the artist?", "")
        assertEquals("The text is empty. Write some words.", screen.said(screen.question, R.id.problem))
        screen.chooseModel("classification.tflite")
        screen.ask(screen.text, " ")
        assertEquals("The text is empty. Write some words.", screen.said(screen.text, R.id.problem))
    }

    @Test
    fun `a question that fills the whole model`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.ask(screen.question, "why ".repeat(100), "Some text.")
        assertEquals(
            "The question has 64 tokens and leaves no room for the text in a model of 64. Ask a shorter one.",
            screen.said(screen.question, R.id.problem),
        )
    }

    @Test
    fun `a text of a hundred kilobytes is read to its end`() = Screen().use { screen ->
        assertTrue(Screen.LONG.toByteArray().size > 100_000)
        screen.chooseModel("qa.tflite")
        val text = Screen.LONG + "Play the new album by Nora Hallström on Spotify."
        screen.write(screen.question, R.id.first, "Who is the artist?")
        screen.write(screen.question, R.id.second, text)
        screen.press(screen.question)
        screen.await("some of the text") { screen.reading.done > 0 }
        val parts = screen.reading.total
        assertTrue("$parts", parts > 300)
        screen.await("the whole text", 300) { screen.activity.session.questions.state.reading == null }
        val result = screen.activity.session.questions.state
        assertEquals(parts, result.cost!!.inferences)
        assertTrue("${result.result}", result.result!!.any { it.text == "Nora Hallström" && it.end > Screen.LONG.length })
    }

    @Test
    fun `a text of a hundred kilobytes outlives the process`() {
        val saved = Bundle()
        Screen().use { screen ->
            screen.askLong()
            screen.controller.saveInstanceState(saved)
        }
        // Android ends apps that save more than about a megabyte.
        val parcel = Parcel.obtain().apply { writeBundle(saved) }
        assertTrue("${parcel.dataSize()} bytes", parcel.dataSize() in 100_000..500_000)
        Screen(saved).use { screen ->
            assertEquals(Screen.LONG, screen.question.find<EditText>(R.id.second).text.toString())
            screen.await("the question to run again") { screen.reading.done > 0 }
        }
    }

    @Test
    fun `a text of a hundred kilobytes can be cancelled`() = Screen().use { screen ->
        screen.askLong()
        assertEquals(screen.activity.getString(R.string.cancel), screen.said(screen.question, R.id.run))
        assertTrue(screen.said(screen.question, R.id.status).startsWith("Reading part "))
        screen.press(screen.question)
        assertEquals("Cancelled.", screen.said(screen.question, R.id.problem))
        assertEquals(screen.activity.getString(R.string.ask), screen.said(screen.question, R.id.run))
    }

    @Test
    fun `a rotation goes on with the question, and its answer comes`() = Screen().use { screen ->
        val text = Screen.LONG.take(50_000)
        screen.askLong(text)
        val before = screen.activity
        val session = before.session
        val done = screen.reading.done
        screen.controller.configurationChange(Configuration(before.resources.configuration).apply {
            orientation = Configuration.ORIENTATION_LANDSCAPE
        })
        assertNotSame(before, screen.activity)
        assertSame(session, screen.activity.session)
        screen.await("more of the text") { screen.reading.done > done }
        assertTrue(screen.said(screen.question, R.id.status).startsWith("Reading part "))
        assertEquals(text, screen.question.find<EditText>(R.id.second).text.toString())
        screen.awaitResult(screen.question)
        assertTrue(screen.rows(screen.question).isNotEmpty())
    }

    @Test
    fun `after the process died everything is there again and the answer is looked for`() {
        val saved = Bundle()
        val answer = Screen().use { screen ->
            screen.chooseModel("qa.tflite")
            screen.choose(screen.activity.findViewById(R.id.threads), 0)
            screen.askKnown().also { screen.controller.saveInstanceState(saved) }
        }
        Screen(saved).use { screen ->
            screen.awaitResult(screen.question)
            assertEquals(answer, screen.rows(screen.question))
            assertEquals(1, screen.activity.session.models.state.settings.threads)
            assertEquals("qa.tflite", screen.activity.findViewById<Spinner>(R.id.model).selectedItem)
        }
    }

    @Test
    fun `nothing is asked of the person's phone`() {
        val app = RuntimeEnvironment.getApplication()
        val info = app.packageManager.getPackageInfo(app.packageName, android.content.pm.PackageManager.GET_PERMISSIONS)
        assertEquals(emptyList<String>(), info.requestedPermissions.orEmpty().toList())
    }
}
