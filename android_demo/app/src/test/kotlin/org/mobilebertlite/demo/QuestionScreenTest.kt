package org.mobilebertlite.demo

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class QuestionScreenTest {
    @Before
    fun library() {
        Desktop.model("qa-old")
    }

    @Test
    fun `a question is answered and the answer marked in the text`() = Screen().use { screen ->
        screen.awaitModel()
        screen.choose(screen.activity.findViewById(R.id.model), 1)
        screen.await("the other model") { screen.question.visibility == android.view.View.VISIBLE }
        screen.write(screen.question, R.id.first, "Who is the artist?")
        screen.write(screen.question, R.id.second, "Add Sabrina Salerno to the Grime Instrumentals playlist.")
        screen.press(screen.question)
        screen.awaitResult(screen.question)
        println(words(screen.activity.window.decorView))
        println(screen.rows(screen.question))
        println(screen.draw("qa-light"))
        assertEquals(1, 1); assertTrue(true)
    }
}
