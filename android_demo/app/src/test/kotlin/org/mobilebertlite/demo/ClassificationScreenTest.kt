package org.mobilebertlite.demo

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
class ClassificationScreenTest {
    private val case by lazy { Desktop.case("classification-old") }

    @Before
    fun library() {
        Desktop.model("classification-old")
    }

    @Test
    fun `a text is classified as mbl run classifies it`() = Screen().use { screen ->
        screen.chooseModel("classification.tflite")
        screen.ask(screen.text, case.text("text"))
        val rows = screen.rows(screen.text)
        assertTrue("$rows", rows.first().startsWith(case.best().text("name") + ", "))
        assertEquals(case.getValue("result").let { (it as kotlinx.serialization.json.JsonArray).size }, rows.size)
    }

    @Test
    fun `the screen`() = Screen().use { screen ->
        classifyExample(screen)
        screen.draw("classification-light")
        Unit
    }

    @Test
    @Config(qualifiers = "+night")
    fun `the screen in the dark`() = Screen().use { screen ->
        classifyExample(screen)
        screen.draw("classification-dark")
        Unit
    }

    private fun classifyExample(screen: Screen) {
        screen.chooseModel("classification.tflite")
        screen.choose(screen.text.find(R.id.examples), 2)
        screen.press(screen.text)
        screen.awaitResult(screen.text)
        assertTrue(screen.rows(screen.text).first().startsWith("PlayMusic, "))
    }
}
