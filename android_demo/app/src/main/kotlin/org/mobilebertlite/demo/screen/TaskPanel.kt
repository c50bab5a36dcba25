package org.mobilebertlite.demo.screen

import android.text.Editable
import android.text.Spanned
import android.text.TextWatcher
import android.text.style.BackgroundColorSpan
import android.text.style.ForegroundColorSpan
import android.view.View
import android.view.inputmethod.InputMethodManager
import android.widget.Button
import android.widget.EditText
import android.widget.ProgressBar
import android.widget.TextView
import org.mobilebertlite.demo.R

/** The words of a screen, as ids of strings. */
data class Words(
    val first: Int, val firstHint: Int, val second: Int, val secondHint: Int, val run: Int, val title: Int,
)

/** Shows the state of a [TaskController] and tells it what the person does. [rows] turns a result into lines. */
class TaskPanel<R>(
    private val root: View,
    private val controller: TaskController<R>,
    private val words: Words,
    private val rows: (R) -> List<Row>,
) {
    private val first = field(R.id.first, words.first, words.firstHint, R.id.first_label)
    private val second = field(R.id.second, words.second, words.secondHint, R.id.second_label)
    private val run: Button = root.findViewById(R.id.run)
    private val progress: ProgressBar = root.findViewById(R.id.progress)
    private val status: TextView = root.findViewById(R.id.status)
    private val problem: TextView = root.findViewById(R.id.problem)
    private val results = ResultPanel(root.findViewById(R.id.results), words.title, ::highlight)
    private var isRendering = false
    private var shown: R? = null

    init {
        run.setOnClickListener { press() }
        for (one in listOf(first, second)) {
            one.addTextChangedListener(Edits())
            one.scrollInsidePage()
        }
    }

    private fun press() {
        if (controller.state.reading != null) return controller.cancel()
        // The answer comes where the keyboard is.
        root.context.getSystemService(InputMethodManager::class.java).hideSoftInputFromWindow(root.windowToken, 0)
        controller.run()
    }

    private fun field(id: Int, label: Int, hint: Int, labelId: Int): EditText {
        root.findViewById<TextView>(labelId).setText(label)
        return root.findViewById<EditText>(id).apply { setHint(hint) }
    }

    private inner class Edits : TextWatcher {
        override fun beforeTextChanged(text: CharSequence, start: Int, count: Int, after: Int) = Unit
        override fun onTextChanged(text: CharSequence, start: Int, before: Int, count: Int) = Unit
        override fun afterTextChanged(text: Editable) {
            if (!isRendering) controller.edit(first.text.toString(), second.text.toString())
        }
    }

    fun render(state: TaskState<R>) {
        isRendering = true
        show(first, state.first)
        show(second, state.second)
        isRendering = false
        run.setText(if (state.reading == null) words.run else R.string.cancel)
        renderReading(state.reading)
        problem.text = state.problem
        problem.showIf(state.problem != null)
        renderResult(state)
    }

    /** One window is too quick for a bar that fills. */
    private fun renderReading(reading: Reading?) {
        val long = reading?.takeIf { it.total > 1 }
        progress.showIf(reading != null)
        progress.isIndeterminate = long == null
        progress.max = long?.total ?: 0
        progress.progress = long?.done ?: 0
        status.text = long?.let { root.context.getString(R.string.reading, it.done + 1, it.total) }
        status.showIf(long != null)
    }

    /** Leaves the cursor alone where the text is the same. */
    private fun show(field: EditText, text: String) {
        if (field.text.toString() != text) field.setText(text)
    }

    private fun renderResult(state: TaskState<R>) {
        if (state.result === shown) return
        shown = state.result
        val lines = state.result?.let(rows).orEmpty()
        removeMarks()
        lines.firstOrNull()?.let(::highlight)
        results.render(lines, state.cost)
    }

    private fun removeMarks() {
        val text = second.text
        for (old in text.getSpans(0, text.length, Highlight::class.java)) text.removeSpan(old)
        for (old in text.getSpans(0, text.length, HighlightText::class.java)) text.removeSpan(old)
    }

    /** Marks an answer where it stands in the text, in place of another, and scrolls the text to it. */
    private fun highlight(line: Row) {
        removeMarks()
        val text = second.text
        if (line.from < 0 || line.to > text.length) return
        val context = root.context
        text.setSpan(Highlight(context.getColor(R.color.highlight)), line.from, line.to, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        text.setSpan(
            HighlightText(context.getColor(R.color.on_highlight)), line.from, line.to, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE,
        )
        second.post { if (line.to <= second.length()) second.bringPointIntoView(line.from) }
    }

    /** Marks of our own, so that those of keyboards stay. */
    class Highlight(color: Int) : BackgroundColorSpan(color)

    class HighlightText(color: Int) : ForegroundColorSpan(color)
}

/** A finger on a long text moves the text and not the page around it. */
private fun EditText.scrollInsidePage() = setOnTouchListener { view, _ ->
    val scrolls = view.canScrollVertically(1) || view.canScrollVertically(-1)
    if (scrolls) view.parent.requestDisallowInterceptTouchEvent(true)
    false
}
