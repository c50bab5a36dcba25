package org.mobilebertlite.demo.screen

import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.Outcome
import org.mobilebertlite.core.Problem
import org.mobilebertlite.demo.model.Engine
import org.mobilebertlite.demo.model.ModelSource
import org.mobilebertlite.demo.model.ModelStore
import org.mobilebertlite.demo.model.Task
import org.mobilebertlite.interpreter.Accelerator
import org.mobilebertlite.interpreter.Settings

/** Which model there is: [file] once it is ready, [problem] where it cannot be had. */
data class ModelState(
    val sources: List<ModelSource>,
    val chosen: ModelSource?,
    val settings: Settings = Settings(),
    val file: ModelFile? = null,
    val loadNanos: Long = 0,
    val isLoading: Boolean = false,
    val problem: String? = null,
    /** What is not as it was asked for, though the model answers. */
    val notice: String? = null,
) {
    /** Null as long as there is no model, and for one that the app has no screen for. */
    val task: Task? get() = file?.let(Task::of)
}

/** The choice of model, accelerator and threads. */
class ModelController(
    private val store: ModelStore,
    private val engine: Engine,
    private val saved: Saved?,
    /** Told when what another model said no longer holds. */
    private val changed: () -> Unit,
) : Controller<ModelState>(ModelState(emptyList(), null)) {

    /** What outlives the process. */
    data class Saved(val source: ModelSource?, val settings: Settings)

    val toSave: Saved get() = Saved(state.chosen, state.settings)

    /** Loads the model of last time, or the first there is. */
    fun start() {
        refresh()
        state = state.copy(settings = saved?.settings ?: state.settings)
        (saved?.source ?: state.sources.firstOrNull())?.let(::choose)
    }

    /** Looks again which models there are, for adb may have brought one. */
    fun refresh() {
        val found = store.list()
        val chosen = state.chosen
        state = state.copy(sources = if (chosen == null || chosen in found) found else found + chosen)
        if (chosen == null && saved == null) found.firstOrNull()?.let(::choose)
        // One that was pushed again under its name is another model.
        if (chosen is ModelSource.Pushed && state.file != null) engine.check { if (state.chosen == chosen) load(state) }
    }

    fun choose(source: ModelSource) {
        if (source == state.chosen && state.problem == null) return
        val sources = if (source in state.sources) state.sources else state.sources + source
        load(state.copy(sources = sources, chosen = source))
    }

    /** Something about models that the engine does not know of. */
    fun fail(message: String) {
        state = state.copy(problem = message)
    }

    fun choose(accelerator: Accelerator) = choose(state.settings.copy(accelerator = accelerator))

    fun choose(threads: Int) = choose(state.settings.copy(threads = threads))

    private fun choose(settings: Settings) {
        if (settings != state.settings) load(state.copy(settings = settings))
    }

    private fun onCpu(settings: Settings, problem: Problem) =
        "Runs on the CPU, for the ${settings.accelerator} refused it: ${problem.message}"

    private fun load(next: ModelState) {
        val loading = next.copy(
            // The screen stays while the same file is loaded for other settings.
            file = next.file.takeIf { next.chosen == state.chosen }, isLoading = next.chosen != null, problem = null,
            notice = null,
        )
        state = loading
        val source = loading.chosen ?: return
        changed()
        engine.load(loading.settings, { store.open(source) }) { outcome ->
            // Meanwhile another may have been chosen.
            if (state.chosen != source || state.settings != loading.settings) return@load
            state = when (outcome) {
                is Outcome.Success -> state.copy(
                    file = outcome.value.file, loadNanos = outcome.value.loadNanos, isLoading = false,
                    notice = outcome.value.refused?.let { onCpu(loading.settings, it) },
                )
                is Outcome.Failure -> state.copy(file = null, problem = outcome.problem.message, isLoading = false)
            }
        }
    }
}
