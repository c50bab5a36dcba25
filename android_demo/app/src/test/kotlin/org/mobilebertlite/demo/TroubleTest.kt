package org.mobilebertlite.demo

import android.content.ComponentCallbacks2
import android.content.res.Configuration
import android.os.Bundle
import android.view.View
import android.widget.EditText
import android.widget.Spinner
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilebertlite.demo.screen.Reading
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

/** What goes wrong, and what the person then reads. */
@RunWith(RobolectricTestRunner::class)
class TroubleTest {
    private val folder: File get() = RuntimeEnvironment.getApplication().getExternalFilesDir(null)!!
    private val long = "The Moon pulls on the water of the oceans, and so does the Sun. ".repeat(1600)

    @Before
    fun library() {
        Desktop.model("qa-old")
    }

    /** What is said of model [name], which was pushed with [content]. */
    private fun refused(name: String, content: ByteArray): String {
        File(folder, name).writeBytes(content)
        return Screen().use { screen ->
            screen.chooseModel(name)
            assertEquals(View.GONE, screen.question.visibility)
            screen.said(screen.activity.findViewById(R.id.scroll), R.id.model_problem)
        }
    }

    @Test
    fun `a file that is no model`() = assertEquals(
        "This is not a .tflite model. Choose a file that `mbl convert` made.", refused("x.tflite", ByteArray(100)),
    )

    @Test
    fun `a model without its vocabulary`() {
        val content = Desktop.model("qa-old").readBytes()
        val archive = (0 until content.size - 4).first { content.copyOfRange(it, it + 4).contentEquals("PK\u0003\u0004".toByteArray()) }
        val said = refused("bare.tflite", content.copyOf(archive))
        assertEquals(
            "The model's vocabulary cannot be used: the file carries no vocab.txt. Convert the checkpoint again with its " +
                "vocab.txt.", said,
        )
    }

    @Test
    fun `a model that was removed while it was chosen`() {
        push(folder, Desktop.model("qa-old"), "gone.tflite")
        Screen().use { screen ->
            screen.await("the bundled model") { !screen.activity.session.models.state.isLoading }
            File(folder, "gone.tflite").delete()
            screen.chooseModel("gone.tflite")
            assertEquals(
                "gone.tflite cannot be read: it is no longer there. Choose it again, or another model.",
                screen.said(screen.activity.findViewById(R.id.scroll), R.id.model_problem),
            )
            // And back again.
            screen.chooseModel("qa.tflite")
            assertEquals(View.VISIBLE, screen.question.visibility)
        }
    }

    @Test
    fun `an accelerator that this phone lacks`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.choose(screen.activity.findViewById(R.id.accelerator), 1)
        screen.await("the refusal") { screen.activity.session.models.state.problem != null }
        val said = screen.said(screen.activity.findViewById(R.id.scroll), R.id.model_problem)
        assertTrue(said, said.startsWith("The model could not be run: this phone or this build of the app has no GPU delegate"))
    }

    @Test
    fun `an empty question`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.write(screen.question, R.id.second, "Some text.")
        screen.press(screen.question)
        screen.awaitResult(screen.question)
        assertEquals("The question is empty. Write some words.", screen.said(screen.question, R.id.problem))
    }

    @Test
    fun `a text of a hundred kilobytes can be cancelled`() = Screen().use { screen ->
        askLong(screen)
        assertEquals(screen.activity.getString(R.string.cancel), screen.said(screen.question, R.id.run))
        assertTrue(screen.said(screen.question, R.id.status).startsWith("Reading part "))
        screen.press(screen.question)
        assertEquals("Cancelled.", screen.said(screen.question, R.id.problem))
        assertEquals(screen.activity.getString(R.string.ask), screen.said(screen.question, R.id.run))
    }

    @Test
    fun `a rotation goes on with the question`() = Screen().use { screen ->
        askLong(screen)
        val before = screen.activity
        val session = before.session
        val done = reading(screen).done
        screen.controller.configurationChange(Configuration(before.resources.configuration).apply {
            orientation = Configuration.ORIENTATION_LANDSCAPE
        })
        assertNotSame(before, screen.activity)
        assertSame(session, screen.activity.session)
        screen.await("more of the text") { reading(screen).done > done }
        assertTrue(screen.said(screen.question, R.id.status).startsWith("Reading part "))
        assertEquals(long, screen.question.find<EditText>(R.id.second).text.toString())
        screen.press(screen.question)
    }

    @Test
    fun `after the process died everything is there again and the answer is looked for`() {
        val saved = Bundle()
        val answer = Screen().use { screen ->
            screen.chooseModel("qa.tflite")
            screen.choose(screen.activity.findViewById(R.id.threads), 0)
            askShort(screen)
            screen.controller.saveInstanceState(saved)
            screen.rows(screen.question)
        }
        Screen(saved).use { screen ->
            screen.awaitResult(screen.question)
            assertEquals(answer, screen.rows(screen.question))
            assertEquals(1, screen.activity.session.models.state.settings.threads)
            assertEquals("qa.tflite", screen.activity.findViewById<Spinner>(R.id.model).selectedItem)
        }
    }

    @Test
    @Suppress("DEPRECATION")
    fun `memory that the system wants back is given and the model read again`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        askShort(screen)
        val answer = screen.rows(screen.question)
        screen.activity.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE)
        screen.write(screen.question, R.id.first, "Who is it?")
        askShort(screen)
        assertEquals(answer, screen.rows(screen.question))
    }

    @Test
    fun `nothing is asked of the person's phone`() {
        val app = RuntimeEnvironment.getApplication()
        val info = app.packageManager.getPackageInfo(app.packageName, android.content.pm.PackageManager.GET_PERMISSIONS)
        assertEquals(emptyList<String>(), info.requestedPermissions.orEmpty().toList())
    }

    private fun askShort(screen: Screen) {
        val case = Desktop.case("qa-old")
        screen.write(screen.question, R.id.first, case.text("question"))
        screen.write(screen.question, R.id.second, case.text("context"))
        screen.press(screen.question)
        screen.awaitResult(screen.question)
    }

    private fun askLong(screen: Screen) {
        assertTrue(long.length > 100_000)
        screen.chooseModel("qa.tflite")
        screen.write(screen.question, R.id.first, "What pulls on the water?")
        screen.write(screen.question, R.id.second, long)
        screen.press(screen.question)
        screen.await("some of the text") { reading(screen).done > 0 }
    }

    private fun reading(screen: Screen): Reading {
        val state = screen.activity.session.questions.state
        assertNotNull("${state.problem} ${state.result}", state.reading)
        return state.reading!!
    }
}
