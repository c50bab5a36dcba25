package org.mobilebertlite.demo.screen

import org.mobilebertlite.core.Model
import org.mobilebertlite.core.Outcome
import org.mobilebertlite.core.Problem
import org.mobilebertlite.core.Progress
import org.mobilebertlite.core.Timed
import org.mobilebertlite.demo.model.Engine
import org.mobilebertlite.demo.model.Job
import org.mobilebertlite.demo.model.Memory

/** How far a question is: windows of the text that were read, of how many (0 where that is not known yet). */
data class Reading(val done: Int = 0, val total: Int = 0)

/** What a result took. */
data class Cost(val inferences: Int, val length: Int, val inferenceNanos: Long, val totalNanos: Long, val memory: Memory)

/** Two texts, and what a model of [R] says to them; [problem] where it cannot. */
data class TaskState<R>(
    /** The question, or the text to classify. */
    val first: String = "",
    /** The text in which the answer is, or the second of a pair. */
    val second: String = "",
    val reading: Reading? = null,
    val result: R? = null,
    val cost: Cost? = null,
    val problem: String? = null,
)

/** A screen that asks a model something about texts. Only the last question counts. */
class TaskController<R>(
    private val engine: Engine,
    private val memory: () -> Memory = { Memory.read() },
    private val ask: (Model, String, String, Progress) -> Outcome<Timed<R>>,
) : Controller<TaskState<R>>(TaskState()) {
    private var job: Job? = null

    /** The texts as they are edited; a result belongs to the texts that it was asked for, and goes with them. */
    fun edit(first: String = state.first, second: String = state.second) {
        if (first == state.first && second == state.second) return
        stop()
        state = TaskState(first, second)
    }

    fun run() {
        stop()
        val first = state.first
        val second = state.second
        state = TaskState(first, second, reading = Reading())
        var own: Job? = null
        own = engine.run(
            { model, progress -> ask(model, first, second, progress).also { measure(it) } },
            { done, total -> if (job === own) state = state.copy(reading = Reading(done, total)) },
            { outcome -> if (job === own) finish(outcome) },
        )
        job = own
    }

    /** Gives up the question that runs. */
    fun cancel() {
        if (state.reading == null) return
        stop()
        state = state.copy(reading = null, problem = Problem.Cancelled.message)
    }

    /** Another model: what the old one said is no longer shown. */
    fun clear() {
        stop()
        state = TaskState(state.first, state.second)
    }

    private fun stop() {
        job?.cancel()
        job = null
    }

    @Volatile
    private var measured = Memory(null, null)

    /** On the engine's thread, where it keeps nobody waiting. */
    private fun measure(outcome: Outcome<Timed<R>>) {
        if (outcome is Outcome.Success) measured = memory()
    }

    private fun finish(outcome: Outcome<Timed<R>>) {
        job = null
        state = when (outcome) {
            is Outcome.Failure -> state.copy(reading = null, problem = outcome.problem.message)
            is Outcome.Success -> {
                val timed = outcome.value
                val cost = Cost(timed.inferences, timed.length, timed.inferenceNanos, timed.totalNanos, measured)
                state.copy(reading = null, result = timed.value, cost = cost)
            }
        }
    }
}
