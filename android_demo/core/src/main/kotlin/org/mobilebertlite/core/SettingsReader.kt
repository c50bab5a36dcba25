package org.mobilebertlite.core

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.intOrNull

/**
 * Reads [TokenizerSettings] as a file's description has them. Throws [ProblemException] for what is not known here:
 * a setting that is passed over would give other tokens without a word.
 */
internal object SettingsReader {
    /** Files of 0.1.0 say `lower_case` alone. */
    fun ofDescription(description: JsonObject): TokenizerSettings = when (val said = description["tokenizer"]) {
        null, JsonNull -> TokenizerSettings.of((description["lower_case"] as? JsonPrimitive)?.booleanOrNull ?: true)
        else -> read(said as? JsonObject ?: damaged("tokenizer", said))
    }

    fun read(said: JsonObject): TokenizerSettings {
        val fields = Fields(said)
        val settings = with(TokenizerSettings()) {
            TokenizerSettings(
                fields.flag("lower_case", lowerCase), fields.flag("strip_accents", stripAccents),
                fields.flag("clean_text", cleanText), fields.flag("chinese_characters", chineseCharacters),
                fields.token("pad_token", padToken), fields.token("unk_token", unkToken),
                fields.token("cls_token", clsToken), fields.token("sep_token", sepToken),
                fields.token("mask_token", maskToken), fields.text("continuing_prefix", continuingPrefix),
                fields.longestWord("longest_word", longestWord), fields.addedTokens("added_tokens"),
            )
        }
        fields.checkAllRead()
        return settings
    }

    private fun token(said: JsonElement): AddedToken {
        val fields = Fields(said as? JsonObject ?: damaged("added token", said))
        val token = AddedToken(
            fields.token("content", ""), fields.flag("single_word", false), fields.flag("lstrip", false),
            fields.flag("rstrip", false), fields.flag("normalized", false), fields.flag("special", false),
            fields.flag("word", false),
        )
        fields.checkAllRead()
        return token
    }

    /** The fields of an object, each asked for once. */
    private class Fields(private val said: JsonObject) {
        private val left = said.keys.toMutableSet()

        fun flag(name: String, default: Boolean): Boolean =
            take(name) { (it as? JsonPrimitive)?.takeUnless { one -> one.isString }?.booleanOrNull } ?: default

        fun text(name: String, default: String): String =
            take(name) { (it as? JsonPrimitive)?.takeIf { one -> one.isString }?.content } ?: default

        fun token(name: String, default: String): String =
            text(name, default).also { if (it.isEmpty()) damaged(name, JsonPrimitive(it)) }

        fun longestWord(name: String, default: Int): Int = take(name) {
            (it as? JsonPrimitive)?.takeUnless { one -> one.isString }?.intOrNull?.takeIf { n -> n in 1..LONGEST_WORD }
        } ?: default

        fun addedTokens(name: String): List<AddedToken> = take(name) {
            (it as? JsonArray)?.takeIf { all -> all.size <= Budget.ADDED_TOKENS }?.map(::token)
        }.orEmpty()

        fun checkAllRead() {
            if (left.isNotEmpty()) fail(Problem.Newer("its tokenizer has the setting ${left.first().take(SHOWN)}"))
        }

        private fun <T> take(name: String, read: (JsonElement) -> T?): T? {
            left.remove(name)
            val value = said[name] ?: return null
            return read(value) ?: damaged(name, value)
        }
    }

    private fun damaged(name: String, value: JsonElement): Nothing =
        fail(Problem.Damaged("its tokenizer's $name is ${value.toString().take(SHOWN)}"))

    // Texts themselves are shorter.
    private const val LONGEST_WORD = 1_000_000
    private const val SHOWN = 60
}
