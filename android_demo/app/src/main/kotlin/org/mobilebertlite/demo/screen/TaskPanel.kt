package org.mobilebertlite.demo.screen

import android.text.Editable
import android.text.Spanned
import android.text.TextWatcher
import android.text.style.BackgroundColorSpan
import android.text.style.ForegroundColorSpan
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.EditText
import android.widget.ProgressBar
import android.widget.TextView
import java.text.NumberFormat
import org.mobilebertlite.demo.R

/** One line of a result. [from] until [to] is where it stands in the second text, -1 where it does not. */
data class Row(val name: String, val probability: Double, val from: Int = -1, val to: Int = -1)

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
    private val results: View = root.findViewById(R.id.results)
    private val list: ViewGroup = root.findViewById(R.id.rows)
    private var isRendering = false
    private var shown: R? = null

    init {
        root.findViewById<TextView>(R.id.results_title).setText(words.title)
        run.setOnClickListener { if (controller.state.reading == null) controller.run() else controller.cancel() }
        for (one in listOf(first, second)) one.addTextChangedListener(Edits())
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
        val reading = state.reading
        run.setText(if (reading == null) words.run else R.string.cancel)
        progress.showIf(reading != null)
        progress.isIndeterminate = reading == null || reading.total < 2
        progress.max = reading?.total ?: 0
        progress.progress = reading?.done ?: 0
        val isLong = reading != null && reading.total > 1
        status.text =
            if (isLong) root.context.getString(R.string.reading, reading!!.done + 1, reading.total) else ""
        status.showIf(isLong)
        problem.text = state.problem
        problem.showIf(state.problem != null)
        renderResult(state)
    }

    /** Leaves the cursor alone where the text is the same. */
    private fun show(field: EditText, text: String) {
        if (field.text.toString() != text) field.setText(text)
    }

    private fun renderResult(state: TaskState<R>) {
        results.showIf(state.result != null)
        if (state.result === shown) return
        shown = state.result
        list.removeAllViews()
        val lines = state.result?.let(rows).orEmpty()
        for (line in lines) list.addView(row(line))
        highlight(lines.firstOrNull())
        val cost = state.cost ?: return
        val context = root.context
        root.findViewById<TextView>(R.id.cost).text = context.resources.getQuantityString(
            R.plurals.cost, cost.inferences, cost.inferences, millis(cost.inferenceNanos), cost.length, millis(cost.totalNanos),
        )
        val memory = root.findViewById<TextView>(R.id.memory)
        memory.showIf(cost.memory.now != null && cost.memory.peak != null)
        memory.text = context.getString(R.string.memory, megabytes(cost.memory.now), megabytes(cost.memory.peak))
    }

    private fun row(line: Row): View {
        val view = LayoutInflater.from(root.context).inflate(R.layout.row, list, false)
        val name = line.name.ifEmpty { root.context.getString(R.string.no_answer) }
        val percent = NumberFormat.getPercentInstance().apply { maximumFractionDigits = 1 }.format(line.probability)
        view.findViewById<TextView>(R.id.name).text = name
        view.findViewById<TextView>(R.id.probability).text = percent
        view.findViewById<ProgressBar>(R.id.bar).progress = Math.round(line.probability * 1000).toInt()
        view.contentDescription = root.context.getString(R.string.described, name, percent)
        return view
    }

    /** The best answer where it stands in the text, and the text scrolled to it. */
    private fun highlight(line: Row?) {
        val text = second.text
        for (old in text.getSpans(0, text.length, Highlight::class.java)) text.removeSpan(old)
        for (old in text.getSpans(0, text.length, HighlightText::class.java)) text.removeSpan(old)
        if (line == null || line.from < 0 || line.to > text.length) return
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

internal fun View.showIf(isShown: Boolean) {
    visibility = if (isShown) View.VISIBLE else View.GONE
}

/** Three significant digits or so. */
internal fun millis(nanos: Long): String {
    val millis = nanos / 1e6
    return NumberFormat.getInstance().apply { maximumFractionDigits = if (millis < 10) 2 else if (millis < 100) 1 else 0 }
        .format(millis)
}

private fun megabytes(bytes: Long?): String =
    NumberFormat.getIntegerInstance().format((bytes ?: 0) / 1e6)
