package org.mobilebertlite.core

import java.nio.ByteBuffer
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class TokenizerSettingsTest {
    private val words = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "ab", "é", "e", "New", "new", "\u200b")

    private fun described(json: String) = SettingsReader.ofDescription(Json.parseToJsonElement(json).jsonObject)

    private fun problem(body: () -> Unit): Problem = assertThrows(ProblemException::class.java, body).problem

    private fun problemOf(vararg tokens: AddedToken): Problem =
        problem { Tokenizer(Vocabulary(words), TokenizerSettings(addedTokens = tokens.asList())) }

    @Test
    fun `files of before say lower_case alone`() {
        assertEquals(TokenizerSettings(), described("{}"))
        assertEquals(TokenizerSettings(), described("""{"lower_case": true}"""))
        assertEquals(TokenizerSettings(lowerCase = false, stripAccents = false), described("""{"lower_case": false}"""))
    }

    @Test
    fun `what is not said is as in uncased models, and all that is said is read`() {
        val said = """{"lower_case": true, "tokenizer": {"lower_case": false, "clean_text": false, "cls_token": "<s>",
            "continuing_prefix": "", "longest_word": 7,
            "added_tokens": [{"content": "New", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true,
            "special": true, "word": true}, {"content": "new"}]}}"""
        assertEquals(
            TokenizerSettings(
                lowerCase = false, cleanText = false, clsToken = "<s>", continuingPrefix = "", longestWord = 7,
                addedTokens = listOf(AddedToken("New", true, true, true, true, true, true), AddedToken("new")),
            ),
            described(said),
        )
    }

    @Test
    fun `what is not known here is refused by name`() {
        assertEquals(
            Problem.Newer("its tokenizer has the setting keep_emoji"),
            problem { described("""{"tokenizer": {"lower_case": true, "keep_emoji": true}}""") },
        )
        assertEquals(
            Problem.Newer("its tokenizer has the setting stemmed"),
            problem { described("""{"tokenizer": {"added_tokens": [{"content": "x", "stemmed": true}]}}""") },
        )
        for (wrong in listOf(
            "\"lower_case\": \"true\"", "\"cls_token\": 3", "\"cls_token\": \"\"", "\"longest_word\": 0",
            "\"longest_word\": 2000000", "\"clean_text\": null", "\"added_tokens\": {}", "\"added_tokens\": [1]",
            "\"added_tokens\": [{}]",
        )) {
            val name = problem { described("""{"tokenizer": {$wrong}}""") } as Problem.Damaged
            check(name.detail.startsWith("its tokenizer's ")) { "$wrong: $name" }
        }
    }

    @Test
    fun `tokens that cannot be found exactly are refused by name`() {
        assertEquals(Problem.BadVocabulary("York is missing among 13 words"), problemOf(AddedToken("York")))
        assertEquals(Problem.BadTokenizer("its added token new is there twice"), problemOf(AddedToken("new"), AddedToken("new")))
        assertEquals(
            Problem.BadTokenizer("its added token new reads as New does"),
            problemOf(AddedToken("New", normalized = true), AddedToken("new", normalized = true)),
        )
        assertEquals(
            Problem.BadTokenizer("nothing is left of its added token \u200b"),
            problemOf(AddedToken("\u200b", normalized = true)),
        )
        val renamed = problem { Tokenizer(Vocabulary(words), TokenizerSettings(sepToken = "</s>")) }
        assertEquals(Problem.BadVocabulary("</s> is missing among 13 words"), renamed)
    }

    @Test
    fun `an added token is a piece of words only where it is said to be one`() {
        fun ids(token: AddedToken) =
            Tokenizer(Vocabulary(words), TokenizerSettings(addedTokens = listOf(token))).encode("ab cab").ids
        assertArrayEquals(intArrayOf(7, 1, 7), ids(AddedToken("ab")))
        assertArrayEquals(intArrayOf(7, 1), ids(AddedToken("ab", singleWord = true)))
        assertArrayEquals(intArrayOf(5, 6), Tokenizer(
            Vocabulary(words), TokenizerSettings(addedTokens = listOf(AddedToken("ab", normalized = true, singleWord = true))),
        ).encode("abb").ids.take(2).toIntArray())
    }

    @Test
    fun `a byte order mark and blank lines at the end are no words`() {
        val bytes = "\ufeff[PAD]\r\n[UNK]\r\n\u00e9\r\n\r\n\n".toByteArray()
        assertEquals(listOf("[PAD]", "[UNK]", "é"), Vocabulary.parse(ByteBuffer.wrap(bytes)).words)
    }
}
