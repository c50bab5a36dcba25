package org.mobilebertlite.demo.screen

import android.content.Context
import android.widget.Spinner
import java.io.File
import java.io.IOException
import org.mobilebertlite.demo.R
import org.mobilebertlite.demo.model.Example
import org.mobilebertlite.demo.model.Examples
import org.mobilebertlite.demo.model.ModelSource
import org.mobilebertlite.demo.model.Task

/** The examples that fit a task: those that came with the model, then the app's own. */
class ExampleChoice(private val spinner: Spinner, task: Task, source: ModelSource?, choose: (Example) -> Unit) {
    private val context: Context = spinner.context

    init {
        val examples = ofModel(task, source) + own(task)
        fill(spinner, listOf(context.getString(R.string.example_choose)) + examples.map { it.first })
        spinner.onChoice { place ->
            if (place > 0) {
                choose(examples[place - 1])
                // Chosen again, it fills in its texts again.
                spinner.setSelection(0)
            }
        }
        spinner.showIf(examples.isNotEmpty())
    }

    private fun own(task: Task): List<Example> {
        val id = when (task) {
            Task.QUESTION -> R.raw.articles
            Task.CLASSIFICATION -> R.raw.sentences
        }
        return Examples.parse(context.resources.openRawResource(id).bufferedReader().use { it.readText() }).examples
    }

    /** What another put beside a model may be anything: then there are none. */
    private fun ofModel(task: Task, source: ModelSource?): List<Example> = try {
        when (source) {
            is ModelSource.Bundled -> context.assets.open(Examples.beside(source.name)).bufferedReader().use { it.readText() }
            is ModelSource.Pushed -> File(context.getExternalFilesDir(null), Examples.beside(source.name)).readText()
            else -> null
        }?.let(Examples::parse)?.takeIf { it.task == task.id }?.examples.orEmpty()
    } catch (_: IOException) {
        emptyList()
    } catch (_: IllegalArgumentException) {
        emptyList()
    }
}
