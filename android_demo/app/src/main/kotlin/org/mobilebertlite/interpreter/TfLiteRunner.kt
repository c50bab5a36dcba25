package org.mobilebertlite.interpreter

import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import java.nio.IntBuffer
import org.mobilebertlite.core.Runner
import org.tensorflow.lite.Interpreter

/**
 * A TFLite or LiteRT interpreter, called by signature. Inputs and outputs are bound by name; their buffers are made once
 * for each signature. Used by one thread at a time.
 *
 * This folder knows nothing of Android, so that core's tests run it on a desktop.
 */
class TfLiteRunner(
    private val interpreter: Interpreter,
    /** Closed after the interpreter that uses it. */
    private val delegate: AutoCloseable? = null,
) : Runner, Closeable {
    private val buffers = HashMap<String, Buffers>()

    override fun run(signature: String, inputs: Map<String, IntArray>): Map<String, FloatArray> {
        val own = buffers.getOrPut(signature) { Buffers(signature) }
        for ((name, values) in inputs) {
            val buffer = own.inputs[name] ?: throw IllegalArgumentException("signature $signature takes no $name")
            buffer.clear()
            buffer.put(values)
            buffer.rewind()
        }
        for (buffer in own.outputs.values) buffer.rewind()
        interpreter.runSignature(own.inputs.toMap(), own.outputs.toMap(), signature)
        return own.outputs.mapValues { (_, buffer) ->
            buffer.rewind()
            FloatArray(buffer.capacity()).also { buffer.get(it) }
        }
    }

    override fun close() {
        interpreter.close()
        delegate?.close()
    }

    private inner class Buffers(signature: String) {
        val inputs: Map<String, IntBuffer> = interpreter.getSignatureInputs(signature).associateWith {
            bytes(interpreter.getInputTensorFromSignature(it, signature).numElements()).asIntBuffer()
        }
        val outputs: Map<String, FloatBuffer> = interpreter.getSignatureOutputs(signature).associateWith {
            bytes(interpreter.getOutputTensorFromSignature(it, signature).numElements()).asFloatBuffer()
        }

        /** Room for [count] numbers of 32 bits. */
        private fun bytes(count: Int) = ByteBuffer.allocateDirect(4 * count).order(ByteOrder.nativeOrder())
    }
}
