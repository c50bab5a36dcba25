package org.mobilebertlite.demo.model

import org.mobilebertlite.core.ModelFile
import org.mobilebertlite.core.ProblemType

/** What the app has a screen for; [id] is its name in files. */
enum class Task(val id: String) {
    QUESTION("qa"),
    CLASSIFICATION("classification");

    companion object {
        /** Null where there is no screen for [file]: numbers (regression) have none either. */
        fun of(file: ModelFile): Task? = entries.find { it.id == file.task && file.problemType != ProblemType.REGRESSION }
    }
}
