"""Configurations and tokenizers: every key with every kind of wrong value, then whole trees, then the text itself."""

from __future__ import annotations

import json
import random
from typing import Any

from hostile_values import TEXTS, VALUES, WIDE, Case, changed_json, damaged_text, dumped

# Keys that readers look for besides those that a whole case has.
ABSENT: dict[str, tuple[str, ...]] = {
    "config.json": ("id2label", "label2id", "num_labels", "problem_type", "tie_word_embeddings", "quantization_config",
                    "architectures", "model_type", "task", "labels", "pad_token_id", "layer_norm_eps"),
    "bert_config.json": ("layer_norm_eps", "problem_type", "id2label", "label2id", "pad_token_id", "num_layers",
                         "hidden_dropout_prob"),
    "tokenizer_config.json": ("added_tokens_decoder", "additional_special_tokens", "do_basic_tokenize", "never_split",
                              "strip_accents", "tokenize_chinese_chars", "model_max_length", "cls_token", "sep_token",
                              "pad_token", "unk_token", "mask_token", "extra_special_tokens", "clean_text"),
    "special_tokens_map.json": ("cls_token", "additional_special_tokens", "mask_token"),
    "sentence_bert_config.json": ("max_seq_length", "do_lower_case"),
    "1_Pooling/config.json": ("pooling_mode", "pooling_mode_mean_tokens", "word_embedding_dimension", "include_prompt"),
    "config_sentence_transformers.json": ("prompts", "default_prompt_name", "similarity_fn_name"),
    "adapter_config.json": ("alpha_pattern", "rank_pattern", "modules_to_save", "use_rslora", "use_dora", "bias", "r",
                            "lora_alpha", "target_modules", "task_type", "base_model_name_or_path")}


def mutate(rng: random.Random, case: Case) -> tuple[str, Case]:
    """One of the texts of ``case`` damaged, those of JSON more often by a key than otherwise."""
    name = rng.choice(sorted(one for one in case if one.endswith((".json", ".txt"))))
    if name.endswith(".txt"):
        what, changed = words(rng, case[name])
        return f"{name}: {what}", {**case, name: changed}
    value, how = json.loads(case[name]), rng.choice(("key", "key", "key", "tree", "tree", "text", "words", "root"))
    if how == "words" and (found := _words_of(value)):
        _change_words(rng, found)
        return f"{name}: words", {**case, name: dumped(value)}
    if how in ("tree", "words"):
        return f"{name}: tree", {**case, name: dumped(changed_json(rng, value))}
    if how == "text":
        what, changed = damaged_text(rng, case[name])
        return f"{name}: {what}", {**case, name: changed}
    if how == "root" or not isinstance(value, dict):
        return f"{name}: root", {**case, name: dumped(rng.choice(VALUES))}
    keys = sorted({*value, *ABSENT.get(name, ())})
    what = []
    for key in rng.sample(keys, min(len(keys), rng.choice((1, 1, 1, 2)))):
        value[key] = rng.choice((*VALUES, *WIDE))
        what.append(f"{key} = {str(value[key])[:40]!r}")
    text = dumped(value)
    if keys and rng.random() < 0.1:  # the same key again
        text = text.rstrip()[:-1] + b", " + json.dumps(keys[0]).encode() + b": " + dumped(rng.choice(VALUES)) + b"}"
    return f"{name}: {', '.join(what)}", {**case, name: text}


def _words_of(value: Any) -> dict[str, Any] | None:
    """The words of a ``tokenizer.json``, a ``vocab.json`` or an ``added_tokens.json``."""
    found = value
    for key in ("model", "vocab"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    return found if isinstance(found, dict) and found and all(type(one) is int for one in found.values()) else None


def _change_words(rng: random.Random, found: dict[str, Any]) -> None:
    """Ids twice, far away, absent or no numbers; words of any characters, or a million of them."""
    some = rng.sample(sorted(found), min(len(found), rng.choice((1, 2, 20))))
    how = rng.randrange(5)
    if how == 0:
        found.update({word: rng.choice((*WIDE, 0, 1, len(found), 10 ** 6, 10 ** 7)) for word in some})
    elif how == 1:
        found.update({word: rng.choice(VALUES) for word in some})
    elif how == 2:
        for word in some:
            del found[word]
    elif how == 3:
        found.update({text: len(found) + i for i, text in enumerate(TEXTS)})
    else:
        found.update({f"w{i}": len(found) for i in range(rng.choice((1000, 100_000)))})


def words(rng: random.Random, text: bytes) -> tuple[str, bytes]:
    """A vocabulary with lines that are absent, twice, exchanged, without end, or of any characters."""
    lines = text.split(b"\n")
    place = rng.randrange(len(lines))
    how = rng.choice(("absent", "twice", "first", "odd", "many", "long", "empty lines", "same", "text", "text"))
    if how == "text":
        return damaged_text(rng, text)
    if how == "absent":
        del lines[place:place + rng.choice((1, 5, 200))]
    elif how == "twice":
        lines[place:place] = [lines[place]] * rng.choice((1, 1000))
    elif how == "first":
        del lines[rng.randrange(5)]
    elif how == "odd":
        lines[place] = rng.choice(TEXTS).encode("utf-8", "surrogatepass")
    elif how == "many":
        lines += [b"w%d" % i for i in range(rng.choice((1, 1000, 300_000)))]
    elif how == "long":
        lines[place] = b"w" * rng.choice((1000, 3_000_000))
    elif how == "same":
        lines = [lines[place]] * len(lines)
    else:
        lines[place:place] = [b""] * rng.choice((1, 1000, 100_000))
    return how, b"\n".join(lines)
