package org.mobilebertlite.demo

import android.view.View
import android.widget.EditText
import java.io.File
import java.io.RandomAccessFile
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilebertlite.demo.Screen.Companion.folder
import org.robolectric.RobolectricTestRunner

/** Models that cannot be used, and what the person then reads. */
@RunWith(RobolectricTestRunner::class)
class WrongModelTest {
    @Before
    fun library() {
        Desktop.model("qa-old")
    }

    /** What is said of the model that was pushed as [name]. */
    private fun refused(name: String): String = Screen().use { screen ->
        screen.chooseModel(name)
        assertEquals(View.GONE, screen.question.visibility)
        assertEquals(View.GONE, screen.text.visibility)
        val said = screen.modelProblem
        // Nothing is broken by it.
        screen.chooseModel("qa.tflite")
        assertEquals(View.VISIBLE, screen.question.visibility)
        said
    }

    private fun refused(content: ByteArray): String {
        File(folder, "wrong.tflite").writeBytes(content)
        return refused("wrong.tflite")
    }

    @Test
    fun `a file that is no model`() = assertEquals(
        "This is not a .tflite model. Choose a file that `mbl convert` made.", refused("%PDF-1.7 and more".toByteArray()),
    )

    @Test
    fun `an empty file`() = assertEquals(
        "This is not a .tflite model. Choose a file that `mbl convert` made.", refused(ByteArray(0)),
    )

    @Test
    fun `a file too large to be mapped`() {
        RandomAccessFile(File(folder, "large.tflite"), "rw").use { it.setLength(3L shl 30) }
        assertEquals(
            "large.tflite cannot be read: it is larger than 2 GB. Choose it again, or another model.", refused("large.tflite"),
        )
    }

    @Test
    fun `half a model`() {
        val content = Desktop.model("qa-old").readBytes()
        val said = refused(content.copyOf(content.size / 2))
        assertTrue(said, said.startsWith("The model file is damaged (") && said.endsWith("). Copy it to the phone again."))
    }

    @Test
    fun `a model of another toolkit`() {
        val content = Desktop.model("qa-old").readBytes().replacing("mbl", "abc")
        assertEquals(
            "This model does not say what it is for. Only files that `mbl convert` made carry their task, lengths and words.",
            refused(content),
        )
    }

    @Test
    fun `a model without its vocabulary`() {
        val content = Desktop.model("qa-old").readBytes()
        assertEquals(
            "The model's vocabulary cannot be used: the file carries no vocab.txt. Convert the checkpoint again with its " +
                "vocab.txt.",
            refused(content.copyOf(content.find("PK\u0003\u0004"))),
        )
    }

    @Test
    fun `a model for a newer interpreter`() {
        // TFLite 2.6.2 loads this one and computes it wrongly.
        push(folder, Desktop.model("qa"), "newer.tflite")
        assertEquals(
            "The model needs TFLite 2.10.0 or later, and this app has 2.6.2. Update the app, or convert the model again with " +
                "--min-runtime 2.6.2.",
            refused("newer.tflite"),
        )
    }

    @Test
    fun `a model of a later toolkit`() {
        val content = Desktop.model("classification-old").readBytes()
            .replacing("single_label_classification", "hierarchical_classification")
        assertEquals(
            "This app is too old for the model: its outputs are of the kind hierarchical_classification. Update the app, or " +
                "choose another model.",
            refused(content),
        )
    }

    @Test
    fun `a model that predicts numbers`() {
        push(folder, Desktop.model("regression"), "numbers.tflite")
        assertEquals(
            "This app answers questions and classifies texts; the model is for predicting numbers. Choose another model.",
            refused("numbers.tflite"),
        )
    }

    @Test
    fun `a model for another task, chosen while a question stands there`() {
        push(folder, Desktop.model("features"), "vectors.tflite")
        Screen().use { screen ->
            screen.chooseModel("qa.tflite")
            val answer = screen.askKnown()
            screen.chooseModel("vectors.tflite")
            assertEquals(
                "This app answers questions and classifies texts; the model is for features. Choose another model.",
                screen.modelProblem,
            )
            assertEquals(View.GONE, screen.question.visibility)
            screen.chooseModel("classification.tflite")
            assertEquals(View.VISIBLE, screen.text.visibility)
            // The question is still there, and what another model said to it is not.
            screen.chooseModel("qa.tflite")
            assertEquals(Desktop.case("qa-old").text("question"), screen.question.find<EditText>(R.id.first).text.toString())
            assertEquals(View.GONE, screen.question.find<View>(R.id.results).visibility)
            assertEquals(answer, screen.askKnown())
        }
    }

    @Test
    fun `a model that was removed while it was chosen`() {
        push(folder, Desktop.model("qa-old"), "gone.tflite")
        Screen().use { screen ->
            screen.await("the bundled model") { !screen.activity.session.models.state.isLoading }
            File(folder, "gone.tflite").delete()
            screen.chooseModel("gone.tflite")
            assertEquals(
                "gone.tflite cannot be read: it is no longer there. Choose it again, or another model.", screen.modelProblem,
            )
        }
    }

    @Test
    fun `an accelerator that this phone lacks`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.choose(screen.activity.findViewById(R.id.accelerator), 1)
        screen.await("the refusal") { screen.activity.session.models.state.notice != null }
        assertEquals(
            "Runs on the CPU, for the GPU refused it: The model could not be run: this phone or this build of the app has " +
                "no GPU delegate. Try another accelerator or another model.",
            screen.modelProblem,
        )
        // The model is there, and so are the texts.
        assertEquals("qa", screen.activity.session.models.state.file?.task)
    }
}

private fun ByteArray.find(text: String): Int {
    val wanted = text.toByteArray()
    return (0..size - wanted.size).first { at -> wanted.indices.all { this[at + it] == wanted[it] } }
}

/** The same with [new] in place of the first [old], which is as long. */
private fun ByteArray.replacing(old: String, new: String): ByteArray =
    clone().also { new.toByteArray().copyInto(it, find(old)) }
