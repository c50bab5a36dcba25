package org.mobilebertlite.demo.screen

import android.content.Context
import java.util.concurrent.Executor
import org.mobilebertlite.core.Answer
import org.mobilebertlite.core.Label
import org.mobilebertlite.core.map
import org.mobilebertlite.demo.model.Engine
import org.mobilebertlite.demo.model.ModelStore

/** What outlives a rotation: the model, its thread, and the screens' controllers. [close] when the person leaves. */
class Session(context: Context, main: Executor, saved: SavedState) : AutoCloseable {
    val store = ModelStore(context.applicationContext)
    val engine = Engine(main)
    val questions = TaskController<List<Answer>>(engine) { model, question, text, progress ->
        model.answer(question, text, progress = progress).map { timed -> timed.copy(value = timed.value.take(SHOWN)) }
    }
    val texts = TaskController<List<Label>>(engine) { model, text, pair, progress ->
        model.classify(text, pair.ifBlank { null }, progress)
    }
    val models = ModelController(store, engine, saved.model) {
        questions.clear()
        texts.clear()
    }

    init {
        questions.edit(saved.question, saved.context)
        texts.edit(saved.text, saved.pair)
        models.start()
        if (saved.wasAsking) questions.run()
        if (saved.wasClassifying) texts.run()
    }

    fun save() = SavedState(
        models.toSave,
        questions.state.first, questions.state.second, questions.state.run { reading != null || result != null },
        texts.state.first, texts.state.second, texts.state.run { reading != null || result != null },
    )

    override fun close() {
        questions.cancel()
        texts.cancel()
        engine.close()
    }

    private companion object {
        /** The answer and its alternatives. */
        const val SHOWN = 5
    }
}
