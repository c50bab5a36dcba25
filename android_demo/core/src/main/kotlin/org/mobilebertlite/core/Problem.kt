package org.mobilebertlite.core

/**
 * Why something could not be done, in words for a person: what was wrong, with which value, and what to do.
 *
 * An app that is translated chooses its own words by the class; [message] is English.
 */
public sealed class Problem(message: String) {
    /** Of a length that a screen can show, whatever a file says. */
    public val message: String = message.take(LONGEST)

    /** The file does not begin as a TFLite model does. */
    public data object NotTflite : Problem("This is not a .tflite model. Choose a file that `mbl convert` made.")

    /** The file is a TFLite model, but cut short or otherwise damaged. */
    public data class Damaged(val detail: String) :
        Problem("The model file is damaged ($detail). Copy it to the phone again.")

    /** The file is a TFLite model without the description that tells how to run it on text. */
    public data object NotOurs : Problem(
        "This model does not say what it is for. Only files that `mbl convert` made carry their task, lengths and words."
    )

    /** The file says something that only later versions of this code know. */
    public data class Newer(val detail: String) :
        Problem("This app is too old for the model: $detail. Update the app, or choose another model.")

    /** The file carries no vocabulary, or one without BERT's special words. */
    public data class BadVocabulary(val detail: String) :
        Problem("The model's vocabulary cannot be used: $detail. Convert the checkpoint again with its vocab.txt.")

    /** The file says of its tokenizer what cannot be followed exactly. */
    public data class BadTokenizer(val detail: String) :
        Problem("The model's tokenizer cannot be followed: $detail. Leave it out of the checkpoint's added tokens and convert that again.")

    /** The labels in the file do not fit its outputs. */
    public data class BadLabels(val labels: Int, val classes: Int) :
        Problem("The model has $classes classes, but $labels labels. Convert it again with one label for each class.")

    /** The file has no signature for its task. */
    public data class NoSignature(val task: String, val signatures: List<String>) : Problem(
        "The model has no signature ${task}_<length>; it has ${signatures.joinToString().ifEmpty { "none" }}. " +
            "Convert the checkpoint again."
    )

    /** The model is for a task that was not asked for, or that is unknown here. */
    public data class WrongTask(val task: String, val wanted: String) :
        Problem("This model is for $task, not for $wanted. Choose another model.")

    /** A text without a single word. */
    public data class EmptyText(val name: String) : Problem("The $name is empty. Write some words.")

    /** The question leaves no room for the text. */
    public data class QuestionTooLong(val tokens: Int, val length: Int) : Problem(
        "The question has $tokens tokens and leaves no room for the text in a model of $length. Ask a shorter one."
    )

    /** Classes were asked for in a way that cannot be followed. */
    public data class BadQuestion(val detail: String) :
        Problem("The classes cannot be judged: $detail. Give each class a name, and the hypothesis {} in its place.")

    /** The model's own classes do not say which of them is entailment, or contradiction. */
    public data class NotNli(val classes: List<String>) : Problem(
        "The model's classes (${classes.joinToString()}) do not say which of them is entailment or contradiction. " +
            "Name them, or choose a model for natural-language inference."
    )

    /** The model computed something that cannot be an answer. */
    public data class BadOutput(val name: String, val detail: String) :
        Problem("The model's output $name $detail. Convert it again, without quantization to see whether that is why.")

    /** The interpreter refused the model or failed while running it. */
    public data class RuntimeFailed(val detail: String) :
        Problem("The model could not be run: $detail. Try another accelerator or another model.")

    /** The interpreter in this app lacks operators that the model has. */
    public data class RuntimeTooOld(val needed: String, val present: String) : Problem(
        "The model needs TFLite $needed or later, and this app has $present. " +
            "Update the app, or convert the model again with --min-runtime $present."
    )

    /** The file could not be opened or read. */
    public data class Unreadable(val name: String, val detail: String) :
        Problem("$name cannot be read: $detail. Choose it again, or another model.")

    /** There was not enough memory for the model or the text. */
    public data object OutOfMemory :
        Problem("There is not enough memory. Close other apps, or choose a smaller model or a shorter text.")

    /** Whoever asked no longer wants the answer. */
    public data object Cancelled : Problem("Cancelled.")

    private companion object {
        const val LONGEST = 1000
    }
}

/** What was asked for, or why it could not be had. */
public sealed interface Outcome<out T> {
    public data class Success<out T>(val value: T) : Outcome<T>

    public data class Failure(val problem: Problem) : Outcome<Nothing>
}

/** The value, or null. */
public fun <T> Outcome<T>.orNull(): T? = (this as? Outcome.Success)?.value

/** The same with another value. */
public inline fun <T, R> Outcome<T>.map(change: (T) -> R): Outcome<R> = when (this) {
    is Outcome.Success -> Outcome.Success(change(value))
    is Outcome.Failure -> this
}

/** The value. Throws [ProblemException] where there is none. */
public fun <T> Outcome<T>.orThrow(): T = when (this) {
    is Outcome.Success -> value
    is Outcome.Failure -> throw ProblemException(problem)
}

/** A [Problem] on its way to whoever asked. */
public class ProblemException(public val problem: Problem) : Exception(problem.message)

internal fun fail(problem: Problem): Nothing = throw ProblemException(problem)

internal inline fun <T> outcome(body: () -> T): Outcome<T> = try {
    Outcome.Success(body())
} catch (exception: ProblemException) {
    Outcome.Failure(exception.problem)
}
