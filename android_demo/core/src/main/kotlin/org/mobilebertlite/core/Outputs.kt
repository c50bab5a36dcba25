package org.mobilebertlite.core

/** Output [name], which must hold [size] finite numbers (any number where [size] is null). */
internal fun checkedOutput(outputs: Map<String, FloatArray>, name: String, size: Int? = null): FloatArray {
    val values = outputs[name] ?: fail(Problem.BadOutput(name, "is missing; there is ${outputs.keys.joinToString()}"))
    if (size != null && values.size != size) {
        fail(Problem.BadOutput(name, "holds ${values.size} numbers in place of $size"))
    }
    val bad = values.count { !it.isFinite() }
    if (bad > 0) fail(Problem.BadOutput(name, "holds $bad NaN or infinite values out of ${values.size}"))
    return values
}

/** [labels], or LABEL_0, LABEL_1, … where there are none, as in transformers. */
internal fun labelNames(labels: List<String>, count: Int): List<String> {
    if (labels.isEmpty()) return List(count) { "LABEL_$it" }
    if (labels.size != count) fail(Problem.BadLabels(labels.size, count))
    return labels
}
