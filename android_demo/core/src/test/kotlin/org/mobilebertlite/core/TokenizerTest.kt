package org.mobilebertlite.core

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class TokenizerTest {
    private val words = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "ab", "e", "##e", "é", "##é", ".")

    private fun encode(text: String, lower: Boolean = true, behavior: Behavior = Behavior.REFERENCE) =
        Tokenizer(Vocabulary(words), TokenizerSettings.of(lower), behavior).encode(text)

    @Test
    fun `ids and places are those of Python on every shared case`() {
        val files = Cases.folder.list()!!.filter { it.startsWith("tokenizer-") }.sorted()
        assertTrue("no tokenizer-*.json in ${Cases.folder}", files.isNotEmpty())
        for (name in files) {
            val file = Cases.read(name)
            for ((kind, cases) in file.getValue("cases").jsonObject) {
                val (behavior, name) = kind.split("-", limit = 2)
                // Settings are given, or those of the uncased or the cased models.
                val settings = (file["settings"] as? JsonObject)?.get(name)?.let { SettingsReader.read(it.jsonObject) }
                    ?: TokenizerSettings.of(name == "lower")
                val tokenizer = Tokenizer(Cases.vocabulary(file), settings, Behavior.valueOf(behavior.uppercase()))
                val wrong = cases.jsonArray.mapNotNull { compare(tokenizer, it.jsonObject) }
                println("$name $kind: ${cases.jsonArray.size} cases, ${wrong.size} differ")
                expectNone(wrong.map { "$name $kind: $it" }, cases.jsonArray.size)
            }
        }
    }

    private fun compare(tokenizer: Tokenizer, case: JsonObject): String? {
        val text = case.string("text")
        val tokens = tokenizer.encode(text)
        val place = CodePoints(text)
        val ids = case.getValue("ids").ints()
        val offsets = case.list("offsets").map { it.ints() }
        val ours = tokens.ids.indices.map { listOf(place[tokens.starts[it]], place[tokens.ends[it]]) }
        // Cases from elsewhere may not say which tokens are of one word.
        val words = case["words"]?.ints() ?: tokens.words.asList()
        if (tokens.ids.asList() == ids && ours == offsets && tokens.words.asList() == words) return null
        val escaped = text.map { if (it in ' '..'~') "$it" else "\\u%04x".format(it.code) }.joinToString("")
        return "$escaped\n  expected $ids $offsets $words\n  actual   ${tokens.ids.asList()} $ours ${tokens.words.asList()}"
    }

    @Test
    fun `places count UTF-16 units`() {
        val tokens = encode("😀 ab")
        assertArrayEquals(intArrayOf(1, 7), tokens.ids)
        assertArrayEquals(intArrayOf(0, 3), tokens.starts)
        assertArrayEquals(intArrayOf(2, 5), tokens.ends)
    }

    @Test
    fun `halves of surrogate pairs are left out`() {
        assertArrayEquals(intArrayOf(7), encode("\ud83da\udc00b\ud83d").ids)
    }

    @Test
    fun `a long word is unknown as a whole`() {
        assertEquals(99, encode("a" + "b".repeat(99)).size)
        assertArrayEquals(intArrayOf(1), encode("a" + "b".repeat(100)).ids)
        val long = encode("x".repeat(100_000) + " ab")
        assertArrayEquals(intArrayOf(1, 7), long.ids)
        assertArrayEquals(intArrayOf(100_000, 100_003), long.ends)
    }

    @Test
    fun `phone clients count bytes`() {
        assertEquals(50, encode("é".repeat(50), behavior = Behavior.PHONE).size)
        assertArrayEquals(intArrayOf(1), encode("é".repeat(51), behavior = Behavior.PHONE).ids)
        assertEquals(51, encode("é".repeat(51), lower = false).size)
    }

    @Test
    fun `special words in capitals become their ids`() {
        assertArrayEquals(intArrayOf(5, 3, 4, 5), encode("a[SEP][MASK]a").ids)
        assertTrue(3 !in encode("[sep]").ids)
        assertTrue(3 !in encode("[SEP]", behavior = Behavior.PHONE).ids)
    }

    @Test
    fun `a word that stands twice has its last place`() {
        val vocabulary = Vocabulary(words + "a")
        assertArrayEquals(intArrayOf(words.size), Tokenizer(vocabulary).encode("a").ids)
    }

    @Test
    fun `texts without words have no tokens`() {
        for (text in listOf("", " \t\n", "\u200b\u0000")) assertEquals(0, encode(text).size)
    }
}
