package org.mobilebertlite.core

import java.io.File
import org.bytedeco.javacpp.FloatPointer
import org.bytedeco.javacpp.IntPointer
import org.bytedeco.tensorflowlite.BuiltinOpResolver
import org.bytedeco.tensorflowlite.FlatBufferModel
import org.bytedeco.tensorflowlite.Interpreter
import org.bytedeco.tensorflowlite.InterpreterBuilder
import org.bytedeco.tensorflowlite.SignatureRunner

/** TFLite 2.18 for desktops, through its C++ interface: recent enough for every file. */
class DesktopRunner(file: File, threads: Int = 1) : Runner, AutoCloseable {
    private val model = checkNotNull(FlatBufferModel.BuildFromFile(file.path)) { "$file is refused" }
    private val resolver = BuiltinOpResolver()
    private val interpreter = Interpreter(null as org.bytedeco.javacpp.Pointer?)
    private val runners = HashMap<String, SignatureRunner>()

    init {
        check(InterpreterBuilder(model, resolver).apply(interpreter, threads) == OK) { "$file is refused" }
    }

    override fun run(signature: String, inputs: Map<String, IntArray>): Map<String, FloatArray> {
        val runner = runners.getOrPut(signature) { prepare(signature) }
        for ((name, values) in inputs) {
            val tensor = runner.input_tensor(name)
            IntPointer(tensor.data().i32()).put(values, 0, values.size)
        }
        check(runner.Invoke() == OK) { "$signature failed" }
        return (0 until runner.output_size()).associate { i ->
            val name = runner.output_names().getString(i)
            val tensor = runner.output_tensor(name)
            val values = FloatArray((tensor.bytes() / 4).toInt())
            FloatPointer(tensor.data().f()).get(values)
            name to values
        }
    }

    private fun prepare(signature: String): SignatureRunner {
        val runner = checkNotNull(interpreter.GetSignatureRunner(signature)) { "no signature $signature" }
        check(runner.AllocateTensors() == OK) { "$signature cannot be prepared" }
        return runner
    }

    override fun close() {
        interpreter.close()
        model.close()
        resolver.close()
    }

    private companion object {
        const val OK = 0
    }
}
