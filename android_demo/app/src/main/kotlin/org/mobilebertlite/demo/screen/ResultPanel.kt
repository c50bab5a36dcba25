package org.mobilebertlite.demo.screen

import android.content.Context
import android.graphics.Rect
import android.graphics.Typeface
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ProgressBar
import android.widget.TextView
import java.text.NumberFormat
import org.mobilebertlite.demo.R

/** One line of a result. [from] until [to] is where it stands in the second text, -1 where it does not. */
data class Row(val name: String, val probability: Double, val from: Int = -1, val to: Int = -1)

/** Shows the lines of a result under [title], the best first, and what they took. A line that is pressed goes to [mark]. */
class ResultPanel(private val root: View, title: Int, private val mark: (Row) -> Unit) {
    private val context: Context = root.context
    private val list: ViewGroup = root.findViewById(R.id.rows)
    private val costs: TextView = root.findViewById(R.id.cost)
    private val memory: TextView = root.findViewById(R.id.memory)

    init {
        root.findViewById<TextView>(R.id.results_title).setText(title)
    }

    /** No [lines] are no result. */
    fun render(lines: List<Row>, cost: Cost?) {
        root.showIf(lines.isNotEmpty())
        list.removeAllViews()
        for (line in lines) list.addView(row(line, isBest = line === lines.first()))
        cost?.let(::renderCost)
        root.post(::scrollToFirst)
    }

    /** Until the best line can be read, below whatever else is in sight. */
    private fun scrollToFirst() {
        val best = list.getChildAt(0) ?: return
        root.requestRectangleOnScreen(Rect(0, 0, root.width, list.top + best.bottom))
    }

    private fun row(line: Row, isBest: Boolean): View {
        val view = LayoutInflater.from(context).inflate(R.layout.row, list, false)
        val name = line.name.ifEmpty { context.getString(R.string.no_answer) }
        val percent = percent(line.probability)
        view.findViewById<TextView>(R.id.name).apply {
            text = name
            if (isBest) typeface = Typeface.DEFAULT_BOLD
        }
        view.findViewById<TextView>(R.id.probability).text = percent
        view.findViewById<ProgressBar>(R.id.bar).progress = Math.round(line.probability * 1000).toInt()
        view.contentDescription = context.getString(R.string.described, name, percent)
        if (line.from >= 0) view.setOnClickListener { mark(line) }
        return view
    }

    private fun renderCost(cost: Cost) {
        costs.text = context.resources.getQuantityString(
            R.plurals.cost, cost.inferences, cost.inferences, millis(cost.inferenceNanos), cost.length, millis(cost.totalNanos),
        )
        memory.showIf(cost.memory.now != null && cost.memory.peak != null)
        memory.text = context.getString(R.string.memory, megabytes(cost.memory.now), megabytes(cost.memory.peak))
    }

    private fun percent(probability: Double): String {
        val format = NumberFormat.getPercentInstance().apply { maximumFractionDigits = 1 }
        val isTiny = probability > 0 && probability < SMALLEST
        return if (isTiny) context.getString(R.string.less_than, format.format(SMALLEST)) else format.format(probability)
    }

    private companion object {
        /** The least probability that is told as a number. */
        const val SMALLEST = 0.001
    }
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
