"""Folders with the files of a tokenizer, as tests need them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken as HubToken
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

FIVE = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
RENAMED = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
NAMES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
WORDS = (*FIVE, *RENAMED, *"abcdefghijklmnopqrstuvwxyzéÉ日本[]<>/12.",
         *(f"##{one}" for one in "abcdefghijklmnopqrstuvwxyzéÉ日本12"), "the", "The", "cafe", "Cafe", "café", "Café",
         "rain", "日本", "[E1]", "[E2]")
BERT = {"tokenizer_class": "BertTokenizer"}
LOWER, CASED = {**BERT, "do_lower_case": True}, {**BERT, "do_lower_case": False}


def write(folder: Path, **contents: Any) -> Path:
    """Files named by their stems: words as lines, everything else as JSON."""
    names = {"vocab": "vocab.txt", "words": "vocab.json", "whole": "tokenizer.json", "config": "tokenizer_config.json",
             "special": "special_tokens_map.json", "added": "added_tokens.json"}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        text = "".join(f"{word}\n" for word in content) if name == "vocab" else json.dumps(content)
        (folder / names[name]).write_text(text, encoding="utf-8")
    return folder


def whole(words: tuple[str, ...] = WORDS, five: tuple[str, ...] = FIVE, tokens: tuple[HubToken, ...] = (),
          model: Any = None, **flags: bool | None) -> dict[str, Any]:
    """A tokenizer.json as tokenizers writes it."""
    backend = Backend(model or WordPiece({word: i for i, word in enumerate(words)}, unk_token=five[1]))
    backend.normalizer = normalizers.BertNormalizer(**{"strip_accents": None, **flags})
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.add_special_tokens([word for word in five if word in words])
    backend.add_tokens(list(tokens))
    ends = {word: backend.token_to_id(word) for word in five[2:4]}
    if None not in ends.values():
        backend.post_processor = processors.TemplateProcessing(
            single=f"{five[2]}:0 $A:0 {five[3]}:0", pair=f"{five[2]}:0 $A:0 {five[3]}:0 $B:1 {five[3]}:1",
            special_tokens=list(ends.items()))
    backend.decoder = decoders.WordPiece()
    value: dict[str, Any] = json.loads(backend.to_str())
    return value
