package org.mobilebertlite.demo.model

import java.io.File
import java.io.IOException

/** What the process holds in RAM, in bytes; null where the system does not tell. */
data class Memory(val now: Long?, val peak: Long?) {
    companion object {
        /** As the kernel counts it (VmRSS, VmHWM). */
        fun read(status: File = File("/proc/self/status")): Memory {
            val lines = try {
                status.readLines()
            } catch (_: IOException) {
                emptyList()
            }
            return Memory(bytes(lines, "VmRSS:"), bytes(lines, "VmHWM:"))
        }

        private fun bytes(lines: List<String>, name: String): Long? =
            lines.find { it.startsWith(name) }?.filter { it.isDigit() }?.toLongOrNull()?.let { it * 1024 }
    }
}
