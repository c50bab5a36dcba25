package org.mobilebertlite.core

import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject

/**
 * One side of benchmarks/suites/kotlin_text.py: arguments are a vocabulary and a JSON list of questions with contexts.
 * For each line of standard input, `tokens` or `features`, it does all of them once on this thread, and prints
 * nanoseconds, allocated bytes, and how many tokens or windows there were.
 */
fun main(arguments: Array<String>) {
    val (vocabulary, file) = arguments
    val begin = System.nanoTime()
    val tokenizer = Tokenizer(Vocabulary.parse(ByteBuffer.wrap(File(vocabulary).readBytes())))
    tokenizer.encode("a")
    println("${System.nanoTime() - begin} 0 ${tokenizer.vocabulary.words.size}")
    val texts = Json.parseToJsonElement(File(file).readText()).jsonArray.map {
        it.jsonObject.string("question") to it.jsonObject.string("context")
    }
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    for (line in generateSequence(::readLine)) {
        val before = threads.getThreadAllocatedBytes(Thread.currentThread().id)
        val start = System.nanoTime()
        val count = when (line) {
            "tokens" -> texts.sumOf { (question, context) -> tokenizer.encode(question).size + tokenizer.encode(context).size }
            "features" -> texts.sumOf { (question, context) -> questionWindows(tokenizer, question, context, 384).size }
            else -> error("unknown: $line")
        }
        val nanos = System.nanoTime() - start
        println("$nanos ${threads.getThreadAllocatedBytes(Thread.currentThread().id) - before} $count")
    }
}
