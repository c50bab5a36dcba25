package org.mobilebertlite.demo.model

import java.io.Closeable
import java.nio.ByteBuffer
import java.security.MessageDigest
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import org.mobilebertlite.core.Model
import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.Outcome
import org.mobilebertlite.core.Problem
import org.mobilebertlite.core.ProblemException
import org.mobilebertlite.core.Progress
import org.mobilebertlite.core.orThrow
import org.mobilebertlite.interpreter.Accelerator
import org.mobilebertlite.interpreter.Settings
import org.mobilebertlite.interpreter.TfLiteRunner
import org.mobilebertlite.interpreter.isOlder
import org.mobilebertlite.interpreter.openInterpreter
import org.mobilebertlite.interpreter.runtimeVersion

/** What is known of a model that is ready. */
data class Loaded(
    val file: ModelFile,
    val loadNanos: Long,
    /** Why it runs on the CPU although another accelerator was asked for; null where it runs where it should. */
    val refused: Problem? = null,
)

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

    private class Ready(
        val file: ModelFile, val model: Model, val runner: TfLiteRunner, val nanos: Long, val sha256: String,
        val refused: Problem?,
    )

    /** Another model or other [settings]; what was there before is freed first. */
    fun load(settings: Settings, open: () -> ByteBuffer, then: (Outcome<Loaded>) -> Unit) = work {
        free()
        this.open = open
        this.settings = settings
        val outcome = attempt { prepared().let { Loaded(it.file, it.nanos, it.refused) } }
        main.execute { then(outcome) }
    }

    /** Tells [then] where the file of the model in memory has become another one, under the same name. */
    fun check(then: () -> Unit) = work {
        val known = ready?.sha256 ?: return@work
        val now = attempt { sha256(checkNotNull(open)()) }
        if (now is Outcome.Success && now.value != known) main.execute(then)
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
        var refused: Problem? = null
        val runner = try {
            opened(content, settings)
        } catch (exception: ProblemException) {
            if (settings.accelerator == Accelerator.CPU) throw exception
            refused = exception.problem
            opened(content, settings.copy(accelerator = Accelerator.CPU))
        }
        val nanos = System.nanoTime() - begin
        return Ready(file, Model(file, runner), runner, nanos, sha256(content), refused)
    }

    private fun opened(content: ByteBuffer, settings: Settings): TfLiteRunner = try {
        openInterpreter(content, settings)
    } catch (exception: RuntimeException) {
        throw ProblemException(refusal(exception))
    } catch (error: LinkageError) {
        throw ProblemException(refusal(error))
    }

    private fun sha256(content: ByteBuffer): String = MessageDigest.getInstance("SHA-256")
        .apply { update(content.duplicate().apply { rewind() }) }.digest().joinToString("") { "%02x".format(it) }

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
