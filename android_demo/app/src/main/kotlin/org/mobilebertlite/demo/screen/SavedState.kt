package org.mobilebertlite.demo.screen

import android.os.Bundle
import org.mobilebertlite.demo.model.ModelSource
import org.mobilebertlite.interpreter.Accelerator
import org.mobilebertlite.interpreter.Settings

/** What outlives the process: choices and texts, and whether an answer was wanted, which is then looked for again. */
data class SavedState(
    val model: ModelController.Saved? = null,
    val question: String = "",
    val context: String = "",
    val wasAsking: Boolean = false,
    val text: String = "",
    val pair: String = "",
    val wasClassifying: Boolean = false,
) {
    fun write(to: Bundle) {
        to.putString("source", model?.source?.save())
        model?.settings?.let {
            to.putString("accelerator", it.accelerator.name)
            to.putInt("threads", it.threads)
        }
        // Android ends an app that saves more than about a megabyte.
        for ((key, value) in listOf("question" to question, "context" to context, "text" to text, "pair" to pair)) {
            if (value.length <= LONGEST) to.putString(key, value)
        }
        to.putBoolean("asking", wasAsking && context.length <= LONGEST)
        to.putBoolean("classifying", wasClassifying && text.length <= LONGEST)
    }

    companion object {
        private const val LONGEST = 120_000

        fun read(from: Bundle): SavedState {
            val accelerator = Accelerator.entries.find { it.name == from.getString("accelerator") }
            val settings = if (accelerator == null) Settings() else Settings(accelerator, from.getInt("threads"))
            return SavedState(
                ModelController.Saved(from.getString("source")?.let(ModelSource::parse), settings),
                from.getString("question").orEmpty(), from.getString("context").orEmpty(), from.getBoolean("asking"),
                from.getString("text").orEmpty(), from.getString("pair").orEmpty(), from.getBoolean("classifying"),
            )
        }
    }
}
