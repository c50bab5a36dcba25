package org.mobilebertlite.demo

import android.widget.EditText
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.mobilebertlite.demo.screen.TaskPanel
import org.robolectric.RobolectricTestRunner
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
        answer(screen)
        val best = case.best()
        assertTrue(screen.rows(screen.question).toString(), screen.rows(screen.question).first().startsWith(best.text("text") + ", "))
        val text = screen.question.find<EditText>(R.id.second).text
        val mark = text.getSpans(0, text.length, TaskPanel.Highlight::class.java).single()
        assertEquals(best.text("text"), text.substring(text.getSpanStart(mark), text.getSpanEnd(mark)))
        assertTrue(screen.said(screen.question, R.id.cost).contains(" ms for 1 run of 64 tokens"))
        assertTrue(screen.said(screen.question, R.id.memory).contains("MB in memory"))
        screen.draw("question-light")
        screen.write(screen.question, R.id.first, "Which list?")
        assertEquals("an old answer stands beside a new question", 0, screen.rows(screen.question).size)
        assertTrue(text.getSpans(0, text.length, TaskPanel.Highlight::class.java).isEmpty())
    }

    @Test
    @Config(qualifiers = "+night")
    fun `the screen in the dark`() = Screen().use { screen ->
        answer(screen)
        screen.draw("question-dark")
        Unit
    }

    @Test
    @Config(qualifiers = "+ar-ldrtl-w320dp-h640dp")
    fun `from right to left on a narrow phone`() = Screen().use { screen ->
        answer(screen)
        screen.draw("question-right-to-left")
        assertEquals(android.view.View.LAYOUT_DIRECTION_RTL, screen.question.layoutDirection)
    }

    @Test
    fun `an example fills in both texts`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.choose(screen.question.find(R.id.examples), 1)
        assertTrue(screen.question.find<EditText>(R.id.first).text.endsWith("?"))
        assertTrue(screen.question.find<EditText>(R.id.second).text.length > 200)
    }

    private fun answer(screen: Screen) {
        screen.chooseModel("qa.tflite")
        screen.write(screen.question, R.id.first, case.text("question"))
        screen.write(screen.question, R.id.second, case.text("context"))
        screen.press(screen.question)
        screen.awaitResult(screen.question)
    }
}
