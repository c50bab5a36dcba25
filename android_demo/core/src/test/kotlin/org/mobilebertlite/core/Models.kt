package org.mobilebertlite.core

import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import kotlinx.serialization.json.JsonObject
import org.junit.Assume.assumeTrue

/** The real models that Python converted, and what `mbl` says about them; tests without them are skipped. */
object Models {
    private val index = File(Cases.folder, "models.json")
    private val all by lazy { Cases.read("models.json").objects("models").associateBy { it.string("name") } }

    fun described(name: String): JsonObject {
        assumeTrue("no models in ${Cases.folder}: `make test-android` converts some", index.exists())
        return all.getValue(name)
    }

    fun file(name: String): File {
        described(name)
        return File(Cases.folder, "models/$name.tflite")
    }

    fun map(file: File): ByteBuffer =
        RandomAccessFile(file, "r").use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length()) }

    fun read(name: String): ModelFile = ModelFile.read(map(file(name))).orThrow()
}
