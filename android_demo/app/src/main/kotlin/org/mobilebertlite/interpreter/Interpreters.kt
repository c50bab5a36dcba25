package org.mobilebertlite.interpreter

import java.nio.ByteBuffer
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite
import org.tensorflow.lite.nnapi.NnApiDelegate

/** Where a model runs. What a delegate does not take runs on the CPU. */
enum class Accelerator {
    /** XNNPACK. */
    CPU,

    /** OpenCL or OpenGL, in float16. */
    GPU,

    /** The vendor's driver behind Android's Neural Networks API: NPUs, DSPs and Edge TPUs. */
    NNAPI;

    val id: String get() = name.lowercase()
}

/** How a model is run. */
data class Settings(val accelerator: Accelerator = Accelerator.CPU, val threads: Int = defaultThreads()) {
    companion object {
        /** The big cores of most phones. */
        fun defaultThreads(): Int = Runtime.getRuntime().availableProcessors().coerceIn(1, 4)
    }
}

/**
 * An interpreter for [content], a whole `.tflite` in a direct or mapped buffer.
 *
 * Throws IllegalArgumentException or IllegalStateException when the runtime refuses the model or the accelerator.
 */
fun openInterpreter(content: ByteBuffer, settings: Settings): TfLiteRunner {
    val delegate = delegate(settings.accelerator)
    try {
        // With XNNPACK, which is the default.
        val options = Interpreter.Options().setNumThreads(settings.threads)
        if (delegate != null) options.addDelegate(delegate)
        return TfLiteRunner(Interpreter(content, options), delegate as? AutoCloseable)
    } catch (exception: RuntimeException) {
        (delegate as? AutoCloseable)?.close()
        throw exception
    }
}

/** The version of the TFLite in this app; "" where its library cannot be loaded. */
fun runtimeVersion(): String = try {
    TensorFlowLite.runtimeVersion()
} catch (_: LinkageError) {
    ""
}

/**
 * Whether TFLite [present] ("2.16.1") is known to be older than [needed]. LiteRT 1.4.0 and 2.3.0 call themselves
 * 2.20.0-dev0 and 2.22.0-dev0.
 */
fun isOlder(present: String, needed: String): Boolean {
    val (have, want) = listOf(present, needed).map { version ->
        version.split('.').take(3).map { it.takeWhile(Char::isDigit).toIntOrNull() ?: return false }
    }
    val (one, other) = have.zip(want).firstOrNull { (one, other) -> one != other } ?: return false
    return one < other
}

private fun delegate(accelerator: Accelerator): Delegate? = when (accelerator) {
    Accelerator.CPU -> null
    Accelerator.GPU -> gpu()
    Accelerator.NNAPI -> NnApiDelegate(NnApiDelegate.Options().setUseNnapiCpu(false))
}

/** By name, for its library is one of its own, which a build may leave out. */
private fun gpu(): Delegate = try {
    Class.forName("org.tensorflow.lite.gpu.GpuDelegate").getConstructor().newInstance() as Delegate
} catch (exception: ReflectiveOperationException) {
    throw IllegalArgumentException("this phone or this build of the app has no GPU delegate", exception)
} catch (error: LinkageError) {
    throw IllegalArgumentException("this phone or this build of the app has no GPU delegate", error)
}
