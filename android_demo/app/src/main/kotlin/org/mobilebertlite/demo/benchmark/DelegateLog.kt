package org.mobilebertlite.demo.benchmark

import org.mobilebertlite.interpreter.Accelerator

/** What TFLite says of a delegate: [delegated] of [nodes] operators in [partitions] pieces. */
data class Delegation(val delegate: String, val nodes: Int, val delegated: Int, val partitions: Int) {
    private val isCpu get() = delegate.contains("xnn", ignoreCase = true)

    companion object {
        private val LINE = Regex(
            """Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \((\w+)\) node, yielding (\d{1,9}) partition"""
        )

        /**
         * What the lines of the process's own [log] tell of [accelerator]'s delegate; where it took nothing, of the last
         * that did, and null where they tell of none. XNNPACK takes what the others leave, so its line comes last.
         */
        fun parse(log: Iterable<String>, accelerator: Accelerator): Delegation? {
            val told = log.mapNotNull { line ->
                LINE.find(line)?.destructured?.let { (delegated, nodes, name, partitions) ->
                    Delegation(name, nodes.toInt(), delegated.toInt(), partitions.toInt())
                }
            }
            return told.lastOrNull { it.isCpu == (accelerator == Accelerator.CPU) } ?: told.lastOrNull()
        }
    }
}
