package org.mobilebertlite.demo

import android.app.Activity
import android.content.ContentProvider
import android.content.ContentValues
import android.content.Intent
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.Bundle
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import android.view.View
import java.io.FileNotFoundException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf

/** Models that a person opens from the phone's storage. */
@RunWith(RobolectricTestRunner::class)
class DocumentTest {
    /** Another app that keeps documents; what it does is their name. */
    class Documents : ContentProvider() {
        override fun onCreate() = true

        override fun query(uri: Uri, columns: Array<String>?, where: String?, values: Array<String>?, order: String?): Cursor =
            MatrixCursor(arrayOf(OpenableColumns.DISPLAY_NAME)).apply { addRow(arrayOf(uri.lastPathSegment)) }

        override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor = when (val name = uri.lastPathSegment!!) {
            "forbidden.tflite" -> throw SecurityException("not yours")
            "broken.tflite" -> throw UnsupportedOperationException("The cloud is away")
            "gone.tflite" -> throw FileNotFoundException(name)
            // More than any virtual machine gives.
            "memory.tflite" -> throw AssertionError("${LongArray(Int.MAX_VALUE).size}")
            else -> ParcelFileDescriptor.open(Desktop.model(name.removeSuffix(".tflite")), ParcelFileDescriptor.MODE_READ_ONLY)
        }

        override fun getType(uri: Uri): String? = null
        override fun insert(uri: Uri, values: ContentValues?): Uri? = null
        override fun delete(uri: Uri, where: String?, values: Array<String>?) = 0
        override fun update(uri: Uri, values: ContentValues?, where: String?, arguments: Array<String>?) = 0
    }

    @Before
    fun provider() {
        Desktop.model("qa-old")
        Robolectric.setupContentProvider(Documents::class.java, "org.mobilebertlite.test")
    }

    private fun open(screen: Screen, name: String) {
        screen.await("the bundled model") { !screen.activity.session.models.state.isLoading }
        screen.activity.findViewById<View>(R.id.open_file).performClick()
        val wanted = shadowOf(screen.activity).nextStartedActivityForResult.intent
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, wanted.action)
        val document = Intent().setData(Uri.parse("content://org.mobilebertlite.test/$name"))
        shadowOf(screen.activity).receiveResult(wanted, Activity.RESULT_OK, document)
        screen.await("the model") { screen.activity.session.models.state.run { chosen?.name == name && !isLoading } }
    }

    @Test
    fun `a model from the phone's storage answers, also after the process died`() {
        val saved = Bundle()
        val answer = Screen().use { screen ->
            open(screen, "qa-old.tflite")
            assertTrue(words(screen.activity.findViewById(R.id.model)).contains("qa-old.tflite (opened)"))
            screen.askKnown().also { screen.controller.saveInstanceState(saved) }
        }
        Screen(saved).use { screen ->
            screen.awaitResult(screen.question)
            assertEquals(answer, screen.rows(screen.question))
            assertEquals("qa-old.tflite", screen.activity.session.models.state.chosen?.name)
        }
    }

    @Test
    fun `a document that cannot be opened is named with the reason`() = Screen().use { screen ->
        for ((name, reason) in listOf(
            "forbidden.tflite" to "the app may no longer read it",
            "broken.tflite" to "The cloud is away",
            "gone.tflite" to "it is no longer there",
        )) {
            open(screen, name)
            assertEquals("$name cannot be read: $reason. Choose it again, or another model.", screen.modelProblem)
        }
        open(screen, "memory.tflite")
        assertEquals(
            "There is not enough memory. Close other apps, or choose a smaller model or a shorter text.", screen.modelProblem,
        )
        screen.chooseModel("qa.tflite")
        assertTrue(screen.askKnown().isNotEmpty())
    }

    @Test
    fun `a person who chooses nothing keeps the model`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.activity.findViewById<View>(R.id.open_file).performClick()
        val wanted = shadowOf(screen.activity).nextStartedActivityForResult.intent
        shadowOf(screen.activity).receiveResult(wanted, Activity.RESULT_CANCELED, null)
        assertEquals("qa.tflite", screen.activity.session.models.state.chosen?.name)
        assertTrue(screen.askKnown().isNotEmpty())
    }
}
