"""``tokenizer_folders.py FOLDER``: tokenizers of many settings, saved, and what they answer.

stdin: JSON of ``vocabularies`` ({name: path}), ``texts`` and ``pairs``. FOLDER/SETTING holds what
``save_pretrained`` writes; ``expected.json`` in it what the AutoTokenizer read from there makes of texts and pairs.
Runs under transformers 4 and 5.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers
from tokenizers import AddedToken, normalizers
from transformers import AutoTokenizer, BertTokenizer, BertTokenizerFast, PreTrainedTokenizerFast

Change = Callable[[Any], object]
SPECIAL = ("pad", "unk", "cls", "sep", "mask")


def added(*tokens: str | AddedToken) -> Change:
    return lambda tokenizer: tokenizer.add_tokens(list(tokens))


def special(*tokens: str) -> Change:
    """As most scripts of fine-tuning add them; transformers 5 knows the key under its new name alone."""
    name = "additional_special_tokens" if int(transformers.__version__[0]) < 5 else "extra_special_tokens"
    return lambda tokenizer: tokenizer.add_special_tokens({name: list(tokens)})


def unclean(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=True, strip_accents=None, lowercase=True)


RENAMED = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>",
           "mask_token": "<mask>"}
# Setting → vocabulary, arguments of the class, and what is done to the tokenizer then.
SETTINGS: dict[str, tuple[str, dict[str, Any], Change | None]] = {
    "uncased": ("uncased", {}, None),
    "cased": ("cased", {"do_lower_case": False}, None),
    "accents kept": ("uncased", {"strip_accents": False}, None),
    "cased without accents": ("cased", {"do_lower_case": False, "strip_accents": True}, None),
    "lower-cased with accents": ("cased", {"do_lower_case": True, "strip_accents": False}, None),
    "Chinese characters together": ("cased", {"do_lower_case": False, "tokenize_chinese_chars": False}, None),
    "texts not cleaned": ("uncased", {}, unclean),
    "added tokens": ("uncased", {}, added("covid-19", "New York", "Ünï")),
    "added tokens, cased": ("cased", {"do_lower_case": False}, added("covid-19", "New York", "Ünï")),
    "added as they are": ("uncased", {}, added(AddedToken("New York", normalized=False),
                                               AddedToken("Ünï", normalized=False))),
    "added with edges": ("uncased", {}, added(AddedToken("<l>", lstrip=True), AddedToken("<r>", rstrip=True),
                                              AddedToken("<b>", lstrip=True, rstrip=True, normalized=False),
                                              AddedToken("alone", single_word=True),
                                              AddedToken("Apart", single_word=True, normalized=False))),
    "added words of the vocabulary": ("uncased", {}, added("the", "##ing", AddedToken("an", normalized=False))),
    "renamed special tokens": ("renamed", RENAMED, None),
    "another padding token": ("uncased", {"pad_token": "<pad>"}, None),
    "a mask with edges": ("uncased", {"mask_token": AddedToken("[MASK]", lstrip=True, normalized=False,
                                                               special=True)}, None),
    "further special tokens": ("uncased", {}, special("<ent>", "</ent>", "[unused5]")),
    "special and added tokens": ("cased", {"do_lower_case": False}, lambda tokenizer: (
        added("covid-19")(tokenizer), special("<ent>")(tokenizer), added(AddedToken("<r>", rstrip=True))(tokenizer))),
    "never split": ("uncased", {"never_split": ["covid-19", "New York"]}, None),
}
# The slow class of transformers 4 writes vocab.txt and no tokenizer.json.
SLOW = ("uncased", "cased", "accents kept", "Chinese characters together", "added tokens", "added with edges",
        "renamed special tokens", "further special tokens", "never split")


# BertTokenizer of transformers 5 cleans texts whatever its file says; the class for any file does as the file says.
AS_THE_FILE_SAYS = ("texts not cleaned",)


def made(kind: type, setting: str, vocabularies: dict[str, str]) -> Any:
    vocabulary, arguments, change = SETTINGS[setting]
    tokenizer = kind(vocabularies[vocabulary], **arguments)
    if change is not None:
        change(tokenizer)
    return tokenizer


def answers(folder: Path, texts: list[str], pairs: list[list[str]]) -> dict[str, Any]:
    """Of the tokenizer that is read from ``folder``."""
    reader = PreTrainedTokenizerFast if folder.name in AS_THE_FILE_SAYS else AutoTokenizer
    tokenizer = reader.from_pretrained(folder)
    single = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    padded = [tokenizer(first, second, padding="max_length", truncation="longest_first", max_length=48,
                        return_token_type_ids=True, return_attention_mask=True) for first, second in pairs]
    return {"class": type(tokenizer).__name__, "ids": single["input_ids"], "offsets": single["offset_mapping"],
            "pairs": [{"ids": one["input_ids"], "segment_ids": one["token_type_ids"], "mask": one["attention_mask"]}
                      for one in padded],
            "special": {name: getattr(tokenizer, f"{name}_token_id") for name in SPECIAL},
            "rows": max(tokenizer.get_vocab().values()) + 1}


def main(root: str) -> None:
    transformers.logging.set_verbosity_error()
    given = json.load(sys.stdin)
    # One class in transformers 5.
    kinds = {"": BertTokenizerFast} if BertTokenizer is BertTokenizerFast else {
        "": BertTokenizerFast, " (slow)": BertTokenizer}
    for ending, kind in kinds.items():
        for setting in SLOW if ending else SETTINGS:
            folder = Path(root, f"{setting}{ending}")
            made(kind, setting, given["vocabularies"]).save_pretrained(folder)
            found = answers(folder, given["texts"], given["pairs"])
            (folder / "expected.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
