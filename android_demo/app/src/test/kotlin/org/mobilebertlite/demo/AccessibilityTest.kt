package org.mobilebertlite.demo

import android.view.View
import android.view.ViewGroup
import android.widget.AdapterView
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** What a screen reader says, and what a finger hits. */
@RunWith(RobolectricTestRunner::class)
class AccessibilityTest {
    @Before
    fun library() {
        Desktop.model("qa-old")
    }

    @Test
    fun `whatever can be pressed or written to has a name and is large enough`() = Screen().use { screen ->
        screen.chooseModel("qa.tflite")
        screen.askKnown()
        check(screen, atLeast = 12)
        screen.chooseModel("classification.tflite")
        screen.ask(screen.text, "Play some music")
        check(screen, atLeast = 14)
    }

    private fun check(screen: Screen, atLeast: Int) {
        screen.layOut()
        val page = screen.activity.findViewById<View>(R.id.scroll)
        val labeled = all(page).map { it.labelFor }.filter { it != View.NO_ID }.toSet()
        val used = all(page).filter { it.isShown && (it.isClickable || it.isFocusable) && it !== page }
        check(used.size >= atLeast) { "only ${used.size} views can be used" }
        val size = 48 * screen.activity.resources.displayMetrics.density
        for (view in used) {
            val id = if (view.id == View.NO_ID) "without an id" else view.resources.getResourceEntryName(view.id)
            val name = "${view.javaClass.simpleName} $id"
            val isNamed = !view.contentDescription.isNullOrBlank() || view.id in labeled ||
                view is TextView && !view.text.isNullOrBlank()
            assertEquals("$name has no name", true, isNamed)
            assertEquals("$name is ${view.height} pixels high", true, view.height >= size)
        }
    }

    /** Without the parts of a spinner, which is one thing to a person. */
    private fun all(view: View): List<View> =
        listOf(view) + if (view is ViewGroup && view !is AdapterView<*>) (0 until view.childCount).flatMap { all(view.getChildAt(it)) }
        else emptyList()
}
