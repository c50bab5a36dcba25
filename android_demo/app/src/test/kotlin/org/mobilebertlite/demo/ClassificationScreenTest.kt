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
        classify(screen)
        val rows = screen.rows(screen.text)
        assertTrue("$rows", rows.first().startsWith(case.best().text("name") + ", "))
        assertEquals(case.getValue("result").let { (it as kotlinx.serialization.json.JsonArray).size }, rows.size)
        screen.draw("classification-light")
        Unit
    }

    @Test
    @Config(qualifiers = "+night")
    fun `the screen in the dark`() = Screen().use { screen ->
        classify(screen)
        screen.draw("classification-dark")
        Unit
    }

    private fun classify(screen: Screen) {
        screen.chooseModel("classification.tflite")
        screen.write(screen.text, R.id.first, case.text("text"))
        screen.press(screen.text)
        screen.awaitResult(screen.text)
    }
}
