package org.mobilebertlite.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Bundle
import android.view.View
import android.view.View.MeasureSpec
import android.view.ViewGroup
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import java.io.File
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.mobilebertlite.demo.screen.MainActivity
import org.mobilebertlite.demo.screen.Reading
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** The app's screen as a person uses it. */
class Screen(saved: Bundle? = null) : AutoCloseable {
    val controller: ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java).apply {
        if (saved == null) setup() else create(saved).start().restoreInstanceState(saved).postCreate(saved).resume().visible()
    }
    val activity: MainActivity get() = controller.get()

    val question: View get() = activity.findViewById(R.id.question_panel)
    val text: View get() = activity.findViewById(R.id.text_panel)

    /** Waits for the engine's thread and what it tells the screen. */
    fun await(what: String, seconds: Long = 60, isThere: () -> Boolean) {
        val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds)
        while (!isThere()) {
            check(System.nanoTime() < end) { "$what did not come; the screen says: ${words(activity.window.decorView)}" }
            Thread.sleep(5)
            idle()
        }
        idle()
    }

    fun idle() = shadowOf(activity.mainLooper).idle()

    fun awaitModel() = await("the model") { question.visibility == View.VISIBLE || text.visibility == View.VISIBLE }

    /** Writes both texts, presses the button and waits for the answer or a problem. */
    fun ask(panel: View, first: String, second: String = "") {
        write(panel, R.id.first, first)
        write(panel, R.id.second, second)
        press(panel)
        awaitResult(panel)
    }

    /** Asks what `mbl run` was asked, and returns the rows of the answer. */
    fun askKnown(): List<String> {
        val case = Desktop.case("qa-old")
        ask(question, case.text("question"), case.text("context"))
        return rows(question)
    }

    /** Asks for something in [text], and returns when a part of it is read. */
    fun askLong(text: String = LONG) {
        chooseModel("qa.tflite")
        write(question, R.id.first, "What pulls on the water?")
        write(question, R.id.second, text)
        press(question)
        await("some of the text") { reading.done > 0 }
    }

    /** How far the question is; fails where none runs. */
    val reading: Reading
        get() = activity.session.questions.state.run {
            reading ?: throw AssertionError("the question does not run: $problem $result")
        }

    /** What is said of the model where it cannot be used. */
    val modelProblem: String get() = said(activity.findViewById(R.id.scroll), R.id.model_problem)

    fun awaitResult(panel: View) = await("the result") {
        panel.find<View>(R.id.results).visibility == View.VISIBLE || panel.find<View>(R.id.problem).visibility == View.VISIBLE
    }

    fun write(panel: View, field: Int, words: String) {
        panel.find<EditText>(field).setText(words)
        idle()
    }

    fun press(panel: View) {
        check(panel.find<View>(R.id.run).performClick())
        idle()
    }

    /** Chooses the bundled or pushed model [name] and waits until its screen is there, or a problem. */
    fun chooseModel(name: String) {
        await("any model") { !activity.session.models.state.isLoading }
        val place = activity.session.models.state.sources.indexOfFirst { it.name == name }
        check(place >= 0) { "no model $name" }
        choose(activity.findViewById(R.id.model), place)
        await("the model") {
            activity.session.models.state.run { chosen?.name == name && !isLoading }
        }
    }

    fun choose(spinner: Spinner, place: Int) {
        spinner.setSelection(place)
        // Spinners tell of a choice when they are laid out.
        layOut()
        idle()
    }

    fun said(panel: View, id: Int): String = panel.find<TextView>(id).run {
        assertEquals("$text is not shown", View.VISIBLE, visibility)
        text.toString()
    }

    fun rows(panel: View): List<String> = panel.find<ViewGroup>(R.id.rows)
        .run { (0 until childCount).map { getChildAt(it).contentDescription.toString() } }

    /** The whole page, however long, as a PNG. */
    fun draw(name: String): File {
        val page = activity.findViewById<ViewGroup>(R.id.scroll)
        val content = page.getChildAt(0) as ViewGroup
        layOut()
        layOut((0 until content.childCount).maxOf { content.getChildAt(it).run { if (isShown) bottom else 0 } } + content.paddingBottom)
        val bitmap = Bitmap.createBitmap(page.width, page.height, Bitmap.Config.ARGB_8888)
        val canvas = Canvas(bitmap)
        canvas.drawColor(activity.getColor(R.color.background))
        page.draw(canvas)
        val file = File(System.getProperty("pictures") ?: "target/pictures", "$name.png")
        file.parentFile!!.mkdirs()
        file.outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        return file
    }

    /** As on a phone that is [height] pixels high; by default everything fits. */
    fun layOut(height: Int = HEIGHT) {
        val page = activity.findViewById<View>(R.id.scroll)
        val width = activity.resources.displayMetrics.widthPixels
        page.measure(
            MeasureSpec.makeMeasureSpec(width, MeasureSpec.EXACTLY), MeasureSpec.makeMeasureSpec(height, MeasureSpec.EXACTLY),
        )
        page.layout(0, 0, width, height)
        idle()
    }

    override fun close() {
        controller.pause().stop().destroy()
        idle()
    }

    companion object {
        private const val HEIGHT = 4000

        /** 102,400 characters in as many bytes. */
        val LONG = "The Moon pulls on the water of the oceans, and so does the Sun. ".repeat(1600)

        /** Where adb puts models. */
        val folder: File get() = RuntimeEnvironment.getApplication().getExternalFilesDir(null)!!
    }
}

fun <T : View> View.find(id: Int): T = findViewById(id)

/** Every text on the screen. */
fun words(view: View): List<String> = when (view) {
    is TextView -> listOfNotNull(view.text?.toString()?.takeIf { it.isNotBlank() && view.isShown })
    is ViewGroup -> (0 until view.childCount).flatMap { words(view.getChildAt(it)) }
    else -> emptyList()
}

/** Puts [file] where adb puts models. */
fun push(folder: File, file: File, name: String): File = file.copyTo(File(folder, name), overwrite = true)
