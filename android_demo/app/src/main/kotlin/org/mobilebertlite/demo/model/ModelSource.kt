package org.mobilebertlite.demo.model

/** Where a model comes from. */
sealed interface ModelSource {
    /** What a person knows it by. */
    val name: String

    /** In the package. */
    data class Bundled(override val name: String) : ModelSource

    /** In the app's folder on the phone's storage, where adb puts it. */
    data class Pushed(override val name: String) : ModelSource

    /** Chosen by the person from the phone's storage or a cloud. */
    data class Document(val uri: String, override val name: String) : ModelSource

    /** One line that [parse] reads. */
    fun save(): String = when (this) {
        is Bundled -> "bundled\n$name"
        is Pushed -> "pushed\n$name"
        is Document -> "document\n$name\n$uri"
    }

    companion object {
        /** What [save] wrote, or null. */
        fun parse(saved: String): ModelSource? {
            val parts = saved.split("\n")
            return when {
                parts.size == 2 && parts[0] == "bundled" -> Bundled(parts[1])
                parts.size == 2 && parts[0] == "pushed" -> Pushed(parts[1])
                parts.size == 3 && parts[0] == "document" -> Document(parts[2], parts[1])
                else -> null
            }
        }
    }
}
