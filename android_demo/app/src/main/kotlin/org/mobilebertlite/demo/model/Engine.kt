package org.mobilebertlite.demo.model

import java.io.Closeable
import java.nio.ByteBuffer
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import org.mobilebertlite.core.Model
import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.Outcome
import org.mobilebertlite.core.Problem
import org.mobilebertlite.core.ProblemException
import org.mobilebertlite.core.Progress
import org.mobilebertlite.core.orThrow
import org.mobilebertlite.interpreter.Settings
import org.mobilebertlite.interpreter.TfLiteRunner
import org.mobilebertlite.interpreter.isOlder
import org.mobilebertlite.interpreter.openInterpreter
import org.mobilebertlite.interpreter.runtimeVersion

/** What is known of a model that is ready. */
data class Loaded(val file: ModelFile, val loadNanos: Long)

/** Something asked of the engine; cancelled between two inferences. Its result is told nevertheless. */
class Job {
    @Volatile
    var isCancelled = false
        private set

    fun cancel() {
        isCancelled = true
    }
}

/**
 * One model in memory and the thread that runs it. Whatever is told is told on [main], in the order of the questions.
 *
 * [close] frees the model once what is running has ended.
 */
class Engine(private val main: Executor) : Closeable {
    private val worker = Executors.newSingleThreadExecutor { Thread(it, "inference") }

    // Of the worker's thread alone.
    private var open: (() -> ByteBuffer)? = null
    private var settings = Settings()
    private var ready: Ready? = null

    private class Ready(val file: ModelFile, val model: Model, val runner: TfLiteRunner, val nanos: Long)

    /** Another model or other [settings]; what was there before is freed first. */
    fun load(settings: Settings, open: () -> ByteBuffer, then: (Outcome<Loaded>) -> Unit) = work {
        free()
        this.open = open
        this.settings = settings
        val outcome = attempt { prepared().let { Loaded(it.file, it.nanos) } }
        main.execute { then(outcome) }
    }

    /** Runs [body] with the model, which is loaded again if its memory was given back. */
    fun <T> run(
        body: (Model, Progress) -> Outcome<T>, told: (done: Int, total: Int) -> Unit, then: (Outcome<T>) -> Unit,
    ): Job {
        val job = Job()
        val progress = Progress { done, total ->
            if (!job.isCancelled) main.execute { told(done, total) }
            !job.isCancelled
        }
        work {
            val outcome = attempt {
                if (job.isCancelled) throw ProblemException(Problem.Cancelled)
                body(prepared().model, progress).orThrow()
            }
            main.execute { then(outcome) }
        }
        return job
    }

    /** Gives the model's memory back until it is needed again. */
    fun trim() = work { free() }

    override fun close() {
        trim()
        worker.shutdown()
    }

    private fun work(body: () -> Unit) = worker.execute(body)

    private fun prepared(): Ready = ready ?: prepare().also { ready = it }

    private fun prepare(): Ready {
        val begin = System.nanoTime()
        val content = checkNotNull(open) { "no model was loaded" }()
        val file = ModelFile.read(content).orThrow()
        val present = runtimeVersion()
        // What older ones compute wrongly they do not always refuse.
        if (isOlder(present, file.minRuntimeVersion)) {
            throw ProblemException(Problem.RuntimeTooOld(file.minRuntimeVersion, present))
        }
        val runner = try {
            openInterpreter(content, settings)
        } catch (exception: RuntimeException) {
            throw ProblemException(refusal(exception))
        } catch (error: LinkageError) {
            throw ProblemException(refusal(error))
        }
        return Ready(file, Model(file, runner), runner, System.nanoTime() - begin)
    }

    private fun refusal(thrown: Throwable) =
        Problem.RuntimeFailed(thrown.message?.lineSequence()?.first()?.trim()?.trimEnd('.') ?: thrown.toString())

    private fun free() {
        ready?.runner?.close()
        ready = null
    }

    private fun <T> attempt(body: () -> T): Outcome<T> = try {
        Outcome.Success(body())
    } catch (exception: ProblemException) {
        Outcome.Failure(exception.problem)
    } catch (_: OutOfMemoryError) {
        free()
        Outcome.Failure(Problem.OutOfMemory)
    }
}
