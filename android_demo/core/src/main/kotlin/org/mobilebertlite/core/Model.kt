package org.mobilebertlite.core

/**
 * An interpreter with a model in it: [inputs] by name, each of the signature's length, to outputs by name, each
 * flattened. What it throws, apart from errors of the virtual machine, becomes [Problem.RuntimeFailed].
 */
public fun interface Runner {
    public fun run(signature: String, inputs: Map<String, IntArray>): Map<String, FloatArray>
}

/** Told before each inference how many are done; says whether to go on. */
public fun interface Progress {
    public fun proceed(done: Int, total: Int): Boolean
}

/** A result, and what it took. */
public data class Timed<out T>(
    val value: T,
    /** How often the model ran: once for each window. */
    val inferences: Int,
    /** Tokens of the longest signature that was used. */
    val length: Int,
    /** In the interpreter. */
    val inferenceNanos: Long,
    /** From text to answer. */
    val totalNanos: Long,
)

/** A model that answers. Used by one thread at a time, as interpreters are. */
public class Model(
    public val file: ModelFile,
    private val runner: Runner,
    behavior: Behavior = Behavior.REFERENCE,
) {
    private val tokenizer = file.tokenizer.let {
        if (it.behavior == behavior) it else Tokenizer(it.vocabulary, it.settings, behavior)
    }

    /** Answers to [question] in [context], the best first; an empty text means that there is none. */
    public fun answer(
        question: String, context: String, options: AnswerOptions = AnswerOptions(), progress: Progress = GO_ON,
    ): Outcome<Timed<List<Answer>>> = timed("qa", progress) { run ->
        val windows = questionWindows(tokenizer, question, context, file.longest, options.stride, options.maxQuery)
        val read = run(windows)
        decodeAnswers(read.map { it.first }, read.map { it.second }, context, options)
    }

    /** Labels of a text or a pair with their probabilities, the most probable first. */
    public fun classify(text: String, pair: String? = null, progress: Progress = GO_ON): Outcome<Timed<List<Label>>> =
        timed("classification", progress) { run ->
            if (file.problemType == ProblemType.REGRESSION) fail(Problem.WrongTask("regression", "classification"))
            val (_, outputs) = run(listOf(packTexts(tokenizer, text, pair, file.longest))).single()
            decodeLabels(outputs, file.labels, file.problemType, file.logits)
        }

    /**
     * The labels of [asked], which the model was not trained for, with their probabilities, the most probable first.
     * For models of natural-language inference; it runs once for each label.
     */
    public fun zeroShot(text: String, asked: ZeroShot, progress: Progress = GO_ON): Outcome<Timed<List<Label>>> =
        timed("classification", progress) { run ->
            if (file.problemType != ProblemType.SINGLE_LABEL) {
                fail(Problem.WrongTask(file.problemType.name.lowercase(), "natural-language inference"))
            }
            asked.check()
            if (file.labels.isNotEmpty()) checkNames(file.labels, asked)
            val pairs = asked.labels.map {
                packTexts(tokenizer, text, asked.hypothesis(it), file.longest, keepPair = true)
            }
            decodeZeroShot(run(pairs).map { it.second }, file.labels, asked)
        }

    /** The numbers of a regression model. */
    public fun predict(text: String, pair: String? = null, progress: Progress = GO_ON): Outcome<Timed<List<Prediction>>> =
        timed("classification", progress) { run ->
            if (file.problemType != ProblemType.REGRESSION) fail(Problem.WrongTask("classification", "regression"))
            val (_, outputs) = run(listOf(packTexts(tokenizer, text, pair, file.longest))).single()
            decodePredictions(outputs, file.labels)
        }

    /** What runs of labels name in [text], in its order. */
    public fun entities(text: String, progress: Progress = GO_ON): Outcome<Timed<List<Entity>>> =
        timed("token-classification", progress) { run ->
            val read = run(textWindows(tokenizer, text, file.longest))
            val words = decodeWords(read.map { it.first }, read.map { it.second }, tokenizer, file.labels)
            decodeEntities(text, words)
        }

    /** The vector of [text]: see [Embedder]. */
    public fun embed(text: String, progress: Progress = GO_ON): Outcome<Timed<FloatArray>> =
        timed("embedding", progress) { run ->
            val (_, outputs) = run(listOf(packTexts(tokenizer, text, null, file.longest))).single()
            checkedOutput(outputs, "embedding")
        }

    private fun <T> timed(
        task: String, progress: Progress, body: ((List<Features>) -> List<Pair<Features, Map<String, FloatArray>>>) -> T,
    ): Outcome<Timed<T>> = outcome {
        if (file.task != task) fail(Problem.WrongTask(file.task, task))
        val begin = System.nanoTime()
        val session = Inferences(progress)
        val value = body(session::run)
        Timed(value, session.count, session.length, session.nanos, System.nanoTime() - begin)
    }

    /** Runs sequences, each through the shortest signature that holds it. */
    private inner class Inferences(private val progress: Progress) {
        var count = 0
        var length = 0
        var nanos = 0L

        fun run(windows: List<Features>): List<Pair<Features, Map<String, FloatArray>>> = windows.map { window ->
            if (!progress.proceed(count, windows.size)) fail(Problem.Cancelled)
            val (shortest, signature) = file.signatures.entries.first { it.key >= window.used }
            val fitting = window.trimmed(shortest)
            val begin = System.nanoTime()
            val outputs = try {
                runner.run(signature, fitting.inputs())
            } catch (exception: RuntimeException) {
                fail(Problem.RuntimeFailed(exception.message?.lineSequence()?.first() ?: exception.toString()))
            }
            nanos += System.nanoTime() - begin
            count++
            length = maxOf(length, shortest)
            fitting to outputs
        }
    }

    private companion object {
        val GO_ON = Progress { _, _ -> true }
    }
}
