package org.mobilebertlite.demo.model

import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.mobilebertlite.core.Problem
import org.mobilebertlite.core.ProblemException

/** The models that the app can reach. Nothing is copied but what cannot be mapped. */
class ModelStore(private val context: Context) {
    /** Where adb puts models: Android/data/org.mobilebertlite.demo/files on the phone's storage. */
    val folder: File? get() = context.getExternalFilesDir(null)

    /** Bundled models first, then pushed ones, each by name. */
    fun list(): List<ModelSource> {
        val bundled = context.assets.list("").orEmpty().filter { it.endsWith(SUFFIX) }.sorted()
        val pushed = folder?.list().orEmpty().filter { it.endsWith(SUFFIX) }.sorted()
        return bundled.map { ModelSource.Bundled(it) } + pushed.map { ModelSource.Pushed(it) }
    }

    /** A document that a person chose, which the app may read from now on, also after a restart. */
    fun document(uri: Uri): ModelSource {
        try {
            context.contentResolver.takePersistableUriPermission(uri, Intent.FLAG_GRANT_READ_URI_PERMISSION)
        } catch (_: SecurityException) {
            // Not every provider gives a lasting permission; until the app ends it may read.
        }
        val name = try {
            context.contentResolver.query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use {
                if (it.moveToFirst()) it.getString(0) else null
            }
        } catch (_: RuntimeException) {
            // Providers are other people's apps, and what they throw is thrown here.
            null
        }
        return ModelSource.Document(uri.toString(), name ?: uri.lastPathSegment ?: uri.toString())
    }

    /** The whole file, mapped. Throws [ProblemException] where it cannot be read. */
    fun open(source: ModelSource): ByteBuffer = try {
        when (source) {
            is ModelSource.Bundled -> bundled(source.name)
            is ModelSource.Pushed -> FileInputStream(File(folder, source.name)).use { map(it) }
            is ModelSource.Document -> document(source)
        }
    } catch (_: FileNotFoundException) {
        unreadable(source, "it is no longer there")
    } catch (exception: IOException) {
        // How a failed mapping is told.
        if (exception.cause is OutOfMemoryError) throw ProblemException(Problem.OutOfMemory)
        unreadable(source, exception.message ?: "the phone's storage failed")
    } catch (_: SecurityException) {
        unreadable(source, "the app may no longer read it")
    } catch (exception: RuntimeException) {
        unreadable(source, exception.message ?: "the app that keeps it failed")
    }

    private fun bundled(name: String): ByteBuffer = context.assets.openFd(name).use { asset ->
        asset.createInputStream().use { map(it, asset.startOffset, asset.length) }
    }

    /** Documents in a cloud come through a pipe, which cannot be mapped. */
    private fun document(source: ModelSource.Document): ByteBuffer {
        val opened = context.contentResolver.openFileDescriptor(Uri.parse(source.uri), "r")
            ?: unreadable(source, "nothing is there")
        return ParcelFileDescriptor.AutoCloseInputStream(opened).use { stream ->
            val isFile = opened.statSize >= 0
            if (isFile) map(stream) else copied(stream).use { map(it) }
        }
    }

    private fun copied(stream: InputStream): FileInputStream {
        val copy = File(context.cacheDir, "document$SUFFIX")
        copy.outputStream().use { stream.copyTo(it) }
        return FileInputStream(copy)
    }

    private fun map(stream: FileInputStream, start: Long = 0, length: Long = stream.channel.size()): ByteBuffer {
        if (length > Int.MAX_VALUE) throw IOException("it is larger than 2 GB")
        return stream.channel.map(FileChannel.MapMode.READ_ONLY, start, length)
    }

    private fun unreadable(source: ModelSource, detail: String): Nothing =
        throw ProblemException(Problem.Unreadable(source.name, detail))

    companion object {
        const val SUFFIX = ".tflite"
    }
}
