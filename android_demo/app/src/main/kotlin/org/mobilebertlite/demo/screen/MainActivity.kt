package org.mobilebertlite.demo.screen

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.View
import org.mobilebertlite.core.Answer
import org.mobilebertlite.core.Label
import org.mobilebertlite.demo.R
import org.mobilebertlite.demo.model.ModelSource
import org.mobilebertlite.demo.model.Task

/** The model decides the screen: question answering or classification. */
class MainActivity : Activity() {
    lateinit var session: Session
        private set
    private lateinit var models: ModelPanel
    private lateinit var questions: TaskPanel<List<Answer>>
    private lateinit var texts: TaskPanel<List<Label>>
    private var examplesOf: Pair<Task, ModelSource?>? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        session = lastNonConfigurationInstance as? Session ?: newSession(state)
        models = ModelPanel(findViewById(R.id.scroll), session.models, ::openFile)
        questions = TaskPanel(findViewById(R.id.question_panel), session.questions, QUESTION) { answers ->
            answers.map { Row(it.text, it.probability, it.start, it.end) }
        }
        texts = TaskPanel(findViewById(R.id.text_panel), session.texts, TEXT) { labels ->
            labels.map { Row(it.name, it.probability) }
        }
        session.models.attach(::render)
        session.questions.attach(questions::render)
        session.texts.attach(texts::render)
    }

    private fun newSession(state: Bundle?): Session {
        val main = Handler(Looper.getMainLooper())
        return Session(this, { main.post(it) }, state?.let(SavedState::read) ?: SavedState())
    }

    private fun render(state: ModelState) {
        models.render(state)
        val task = state.task
        val question = findViewById<View>(R.id.question_panel)
        val text = findViewById<View>(R.id.text_panel)
        question.showIf(task == Task.QUESTION)
        text.showIf(task == Task.CLASSIFICATION)
        val now = task?.let { it to state.chosen }
        if (now == null || now == examplesOf) return
        examplesOf = now
        when (task) {
            Task.QUESTION -> offerExamples(question, task, state.chosen, session.questions)
            Task.CLASSIFICATION -> offerExamples(text, task, state.chosen, session.texts)
        }
    }

    private fun offerExamples(panel: View, task: Task, source: ModelSource?, controller: TaskController<*>) {
        ExampleChoice(panel.findViewById(R.id.examples), task, source) { controller.edit(it.first, it.second) }
    }

    override fun onResume() {
        super.onResume()
        session.models.refresh()
    }

    private fun openFile() {
        val wanted = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*")
        try {
            startActivityForResult(wanted, OPEN)
        } catch (_: ActivityNotFoundException) {
            session.models.fail(getString(R.string.no_chooser))
        }
    }

    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        val uri = data?.data
        if (request == OPEN && result == RESULT_OK && uri != null) session.models.choose(session.store.document(uri))
    }

    override fun onRetainNonConfigurationInstance(): Any = session

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        session.save().write(state)
    }

    /** The model can be read again; what the person wrote cannot. */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level >= TRIM_MEMORY_BACKGROUND) session.engine.trim()
    }

    override fun onLowMemory() {
        super.onLowMemory()
        session.engine.trim()
    }

    override fun onDestroy() {
        session.models.detach()
        session.questions.detach()
        session.texts.detach()
        if (!isChangingConfigurations) session.close()
        super.onDestroy()
    }

    private companion object {
        const val OPEN = 1
        val QUESTION = Words(
            R.string.question, R.string.question_hint, R.string.context, R.string.context_hint, R.string.ask,
            R.string.answer,
        )
        val TEXT = Words(
            R.string.text, R.string.text_hint, R.string.pair, R.string.pair_hint, R.string.classify, R.string.labels,
        )
    }
}
