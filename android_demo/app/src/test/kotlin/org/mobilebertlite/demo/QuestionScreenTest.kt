package org.mobilebertlite.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Rect
import android.os.SystemClock
import android.view.MotionEvent
import android.view.View
import android.view.ViewGroup
import android.view.inputmethod.InputMethodManager
import android.widget.EditText
import android.widget.ProgressBar
import android.widget.Spinner
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilebertlite.demo.screen.TaskPanel
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
class QuestionScreenTest {
    private val case by lazy { Desktop.case("qa-old") }

    @Before
    fun library() {
        Desktop.model("qa-old")
    }

    @Test
    fun `a question is answered as mbl run answers it and the answer is marked`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        val rows = screen.askKnown()
        val best = case.best().text("text")
        assertTrue("$rows", rows.first().startsWith("$best, "))
        assertEquals(listOf(best), marked(screen))
        assertTrue(screen.said(screen.question, R.id.cost).contains(" ms for 1 run of 64 tokens"))
        assertTrue(screen.said(screen.question, R.id.memory).contains("MB in memory"))
        // Pressed, an alternative is marked in its place.
        val list = screen.question.find<ViewGroup>(R.id.rows)
        val none = screen.activity.getString(R.string.no_answer)
        val other = rows.indices.first { it > 0 && !rows[it].startsWith(none) }
        list.getChildAt(other).performClick()
        assertEquals(listOf(rows[other].substringBeforeLast(", ")), marked(screen))
        screen.write(screen.question, R.id.first, "Which list?")
        assertEquals("an old answer stands beside a new question", 0, screen.rows(screen.question).size)
        assertEquals(emptyList<String>(), marked(screen))
    }

    /** What is marked in the text. */
    private fun marked(screen: Screen): List<String> = screen.question.find<EditText>(R.id.second).text.run {
        getSpans(0, length, TaskPanel.Highlight::class.java).map { substring(getSpanStart(it), getSpanEnd(it)) }
    }

    @Test
    fun `the screen`() = Screen().use { screen ->
        answerExample(screen)
        assertEquals(listOf("Nora Hallström"), marked(screen))
        screen.draw("question-light")
        Unit
    }

    @Test
    @Config(qualifiers = "+night")
    fun `the screen in the dark`() = Screen().use { screen ->
        answerExample(screen)
        screen.draw("question-dark")
        Unit
    }

    @Test
    @Config(qualifiers = "+ar-ldrtl-w320dp-h640dp")
    fun `from right to left on a narrow phone`() = Screen().use { screen ->
        answerExample(screen)
        screen.draw("question-right-to-left")
        assertEquals(View.LAYOUT_DIRECTION_RTL, screen.question.layoutDirection)
        // The bars grow from the right too.
        val bar = screen.question.find<ViewGroup>(R.id.rows).getChildAt(0).find<ProgressBar>(R.id.bar)
        bar.progress = bar.max / 2
        val picture = Bitmap.createBitmap(bar.width, bar.height, Bitmap.Config.ARGB_8888).also { bar.draw(Canvas(it)) }
        fun color(x: Int) = picture.getPixel(x, bar.height / 2)
        assertEquals(screen.activity.getColor(R.color.accent), color(bar.width - 10))
        assertEquals(screen.activity.getColor(R.color.track), color(10))
    }

    @Test
    fun `the keyboard goes when the answer is asked for`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        val keyboard = screen.activity.getSystemService(InputMethodManager::class.java)
        keyboard.showSoftInput(screen.question.find(R.id.first), 0)
        assertTrue(shadowOf(keyboard).isSoftInputVisible)
        screen.askKnown()
        assertFalse(shadowOf(keyboard).isSoftInputVisible)
    }

    @Test
    fun `a finger moves a long text and not the page around it`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.write(screen.question, R.id.second, Screen.LONG)
        screen.layOut(500)
        val page = screen.activity.findViewById<View>(R.id.scroll)
        val text = screen.question.find<EditText>(R.id.second)
        val place = Rect(0, 0, text.width, text.height).also { (page as ViewGroup).offsetDescendantRectToMyCoords(text, it) }
        page.scrollTo(0, place.top)
        val shown = page.scrollY
        drag(page, from = place.top - shown + 200f, to = place.top - shown + 50f)
        assertTrue("${text.scrollY}", text.scrollY > 0)
        assertEquals(shown, page.scrollY)
        // Elsewhere the page moves.
        drag(page, from = 20f, to = 150f, x = 2f)
        assertTrue("${page.scrollY}", page.scrollY < shown)
    }

    private fun drag(page: View, from: Float, to: Float, x: Float = page.width / 2f) {
        val begin = SystemClock.uptimeMillis()
        fun touch(action: Int, y: Float, step: Int) =
            MotionEvent.obtain(begin, begin + 16 * step, action, x, y, 0).run { page.dispatchTouchEvent(this) }
        touch(MotionEvent.ACTION_DOWN, from, 0)
        for (step in 1..10) touch(MotionEvent.ACTION_MOVE, from + (to - from) * step / 10, step)
        touch(MotionEvent.ACTION_UP, to, 11)
    }

    @Test
    @Config(qualifiers = "+land")
    fun `the screen on its side`() = Screen().use { screen ->
        answerExample(screen)
        screen.draw("question-landscape")
        Unit
    }

    @Test
    fun `every article of the app can be asked about`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        val examples = screen.question.find<Spinner>(R.id.examples)
        for (place in 1 until examples.count) {
            screen.choose(examples, place)
            assertEquals(examples.getItemAtPosition(place), screen.question.find<EditText>(R.id.first).text.toString())
            assertTrue(screen.question.find<EditText>(R.id.second).text.length > 200)
        }
        assertTrue("${examples.count}", examples.count > 5)
    }

    @Test
    fun `examples that came with a model stand first`() {
        push(Screen.folder, Desktop.model("qa-old"), "mine.tflite")
        File(Screen.folder, "mine.examples.json")
            .writeText("""{"task": "qa", "examples": [{"question": "Mine?", "context": "Mine it is."}]}""")
        Screen().use { screen ->
            screen.chooseModel("mine.tflite")
            screen.choose(screen.question.find(R.id.examples), 1)
            assertEquals("Mine it is.", screen.question.find<EditText>(R.id.second).text.toString())
        }
    }

    /** The first of the app's own examples, which the bundled checkpoint can answer. */
    private fun answerExample(screen: Screen) {
        screen.chooseModel("qa.tflite")
        screen.choose(screen.question.find(R.id.examples), 1)
        screen.press(screen.question)
        screen.awaitResult(screen.question)
    }
}
