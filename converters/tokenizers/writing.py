"""A tokenizer as files that transformers reads back as the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mobilebert_lite.common.files import json_bytes
from mobilebert_lite.converters.tokenizers.sources import CONFIG, TOKENIZER_JSON, VOCAB_TXT
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.text.tokenizer_settings import AddedToken, TokenizerSettings

_NAMES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")


def files(words: Sequence[str], settings: TokenizerSettings) -> dict[str, bytes]:
    """Name -> content: ``vocab.txt`` and ``tokenizer_config.json``, as all versions of transformers read them.

    What these two cannot say (clean_text, the prefix, the longest word) is in a ``tokenizer.json`` beside them, and the
    class is then the one that obeys it.
    """
    # Tokens that are no words are numbered after the words; transformers would take them for words in vocab.txt.
    apart = {token.content for token in settings.added_tokens if not token.word}
    end = len(words)
    while end and words[end - 1] in apart:
        end -= 1
    content = {VOCAB_TXT: "".join(f"{word}\n" for word in words[:end]).encode()}
    config = _config(words, settings)
    if _in_config(settings) != settings:
        content[TOKENIZER_JSON] = _whole(words, settings).encode()
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        config.update({name: getattr(settings, name) for name in _NAMES})
    return {**content, CONFIG: json_bytes(config)}


def _in_config(settings: TokenizerSettings) -> TokenizerSettings:
    """``settings`` as far as vocab.txt and tokenizer_config.json say them."""
    default = TokenizerSettings()
    return replace(settings, clean_text=default.clean_text, continuing_prefix=default.continuing_prefix,
                   longest_word=default.longest_word)


def _config(words: Sequence[str], settings: TokenizerSettings) -> dict[str, Any]:
    """``tokenizer_config.json``, with what differs from BertTokenizer's defaults."""
    config: dict[str, Any] = {"do_lower_case": settings.lower_case, "tokenizer_class": "BertTokenizer"}
    if settings.strip_accents != settings.lower_case:
        config["strip_accents"] = settings.strip_accents
    if not settings.chinese_characters:
        config["tokenize_chinese_chars"] = False
    default = TokenizerSettings()
    config |= {name: getattr(settings, name) for name in _NAMES if getattr(settings, name) != getattr(default, name)}
    if settings.added_tokens:
        index = {word: i for i, word in enumerate(words)}
        known = {token.content for token in settings.added_tokens}
        plain = [AddedToken(word, special=True) for word in settings.special_tokens
                 if word in index and word not in known]
        config["added_tokens_decoder"] = {str(index[token.content]): _flags(token)
                                          for token in sorted((*plain, *settings.added_tokens),
                                                              key=lambda token: index[token.content])}
    if special := [token.content for token in settings.extra_tokens if token.special]:
        config["additional_special_tokens"] = special
    return config


def _flags(token: AddedToken) -> dict[str, Any]:
    """``token`` as transformers writes it."""
    return {name: getattr(token, name)
            for name in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")}


def _whole(words: Sequence[str], settings: TokenizerSettings) -> str:
    """``tokenizer.json``, written by Hugging Face ``tokenizers``."""
    from tokenizers import decoders, processors

    tokenizer = Tokenizer(words, settings=settings)
    backend = tokenizer.backend
    backend.post_processor = processors.TemplateProcessing(
        single=f"{settings.cls_token}:0 $A:0 {settings.sep_token}:0",
        pair=f"{settings.cls_token}:0 $A:0 {settings.sep_token}:0 $B:1 {settings.sep_token}:1",
        special_tokens=[(settings.cls_token, tokenizer.cls_id), (settings.sep_token, tokenizer.sep_id)])
    backend.decoder = decoders.WordPiece(prefix=settings.continuing_prefix)
    return str(backend.to_str())
