package org.mobilebertlite.demo.benchmark

/** What TFLite says of a delegate: [delegated] of [nodes] operators in [partitions] pieces. */
data class Delegation(val delegate: String, val nodes: Int, val delegated: Int, val partitions: Int) {
    companion object {
        private val LINE = Regex(
            """Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\) node, yielding (\d+) partitions"""
        )

        /** The last that [log], lines of the system's log, tells of; null where it tells of none. */
        fun parse(log: Iterable<String>): Delegation? = log.mapNotNull { LINE.find(it) }.lastOrNull()?.destructured
            ?.let { (delegated, nodes, name, partitions) ->
                Delegation(name, nodes.toInt(), delegated.toInt(), partitions.toInt())
            }
    }
}
