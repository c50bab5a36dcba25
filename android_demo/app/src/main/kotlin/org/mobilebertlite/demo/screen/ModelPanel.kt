package org.mobilebertlite.demo.screen

import android.content.Context
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Spinner
import android.widget.TextView
import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.ProblemType
import org.mobilebertlite.demo.R
import org.mobilebertlite.demo.model.ModelSource
import org.mobilebertlite.demo.model.Task
import org.mobilebertlite.interpreter.Accelerator

/** Shows which model there is, and tells [controller] what the person chooses. */
class ModelPanel(private val root: View, private val controller: ModelController, openFile: () -> Unit) {
    private val context: Context = root.context
    private val model: Spinner = root.findViewById(R.id.model)
    private val accelerator: Spinner = root.findViewById(R.id.accelerator)
    private val threads: Spinner = root.findViewById(R.id.threads)
    private val summary: TextView = root.findViewById(R.id.model_summary)
    private val problem: TextView = root.findViewById(R.id.model_problem)
    private var sources: List<ModelSource> = emptyList()

    init {
        fill(threads, (1..Runtime.getRuntime().availableProcessors().coerceIn(1, MOST_THREADS)).map {
            context.resources.getQuantityString(R.plurals.threads, it, it)
        })
        model.onChoice { place -> sources.getOrNull(place)?.let(controller::choose) }
        accelerator.onChoice { controller.choose(Accelerator.entries[it]) }
        threads.onChoice { controller.choose(it + 1) }
        root.findViewById<View>(R.id.open_file).setOnClickListener { openFile() }
    }

    fun render(state: ModelState) {
        if (state.sources != sources) {
            sources = state.sources
            fill(model, sources.map(::name))
        }
        model.showIf(sources.isNotEmpty())
        select(model, sources.indexOf(state.chosen))
        select(accelerator, state.settings.accelerator.ordinal)
        select(threads, minOf(state.settings.threads, threads.count) - 1)
        summary.text = summary(state)
        val unknown = state.file?.takeIf { Task.of(it) == null }
        val said = state.problem ?: unknown?.let { context.getString(R.string.task_unknown, task(it)) } ?: state.notice
        problem.text = said
        problem.showIf(said != null)
    }

    private fun summary(state: ModelState): String {
        val file = state.file
        return when {
            state.chosen == null -> context.getString(R.string.no_model)
            state.isLoading -> context.getString(R.string.loading)
            file == null -> ""
            else -> context.getString(
                R.string.model_summary, task(file), recipe(file.recipe),
                file.longest.toString(), millis(state.loadNanos),
            )
        }
    }

    private fun recipe(name: String): String =
        if (name.isEmpty() || name == "none") context.getString(R.string.recipe_none) else name

    private fun task(file: ModelFile): String = when (Task.of(file)) {
        Task.QUESTION -> context.getString(R.string.task_qa)
        Task.CLASSIFICATION -> context.getString(R.string.task_classification)
        null -> if (file.problemType == ProblemType.REGRESSION) context.getString(R.string.task_regression) else file.task
    }

    private fun name(source: ModelSource): String = when (source) {
        is ModelSource.Bundled -> source.name
        is ModelSource.Pushed -> context.getString(R.string.source_pushed, source.name)
        is ModelSource.Document -> context.getString(R.string.source_document, source.name)
    }

    private fun select(spinner: Spinner, place: Int) {
        if (place >= 0 && spinner.selectedItemPosition != place) spinner.setSelection(place)
    }

    private companion object {
        /** Phones have no more cores; what more threads cost, nobody wants to see. */
        const val MOST_THREADS = 8
    }
}

internal fun fill(spinner: Spinner, names: List<String>) {
    val adapter = ArrayAdapter(spinner.context, android.R.layout.simple_spinner_item, names)
    adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item)
    spinner.adapter = adapter
}

internal fun Spinner.onChoice(choose: (Int) -> Unit) {
    onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
        override fun onItemSelected(parent: AdapterView<*>, view: View?, place: Int, id: Long) = choose(place)
        override fun onNothingSelected(parent: AdapterView<*>) = Unit
    }
}
