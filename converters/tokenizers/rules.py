"""What the files of a tokenizer come to: which counts where two speak of one thing, as transformers has it.

The rules are those of AutoTokenizer in transformers 5.24, and of the fast tokenizers in 4.46 where that says more
(clean_text, the prefix and the longest word in a tokenizer.json). docs/reference/checkpoints.md states them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mobilebert_lite.common.fields import is_whole
from mobilebert_lite.converters.tokenizers import tokenizer_json as steps
from mobilebert_lite.converters.tokenizers.sources import ADDED_TOKENS, CONFIG, SPECIAL_TOKENS, TOKENIZER_JSON, Said
from mobilebert_lite.errors import DataError, shorten
from mobilebert_lite.text.tokenizer_settings import AddedToken, TokenizerSettings

# Classes of transformers that tokenize as BertTokenizer does, and those that do what tokenizer.json says.
_BERT = ("BertTokenizer", "MobileBertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "ConvBertTokenizer",
         "SqueezeBertTokenizer", "LxmertTokenizer", "LayoutLMTokenizer", "RetriBertTokenizer")
_GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")
# In the order in which transformers adds those that the vocabulary lacks.
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_OURS = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_LISTS = ("extra_special_tokens", "additional_special_tokens")
# Ours -> transformers' names of what normalizes.
_FLAGS = {"lower_case": "do_lower_case", "strip_accents": "strip_accents",
          "chinese_characters": "tokenize_chinese_chars"}


def is_generic(said: Said) -> bool:
    """Whether tokenizer.json alone says how texts are normalized.

    Raises DataError for a tokenizer of another kind than BERT's.
    """
    name = (said.config or {}).get("tokenizer_class")
    if name is None or str(name).removesuffix("Fast") in _BERT:
        return False
    if name not in _GENERIC:
        raise DataError(f"{CONFIG} says tokenizer_class {name}; this toolkit has BERT's WordPiece tokenizer "
                        f"({', '.join(_BERT[:3])} and their like) and no other")
    if said.whole is None:
        raise DataError(f"{CONFIG} says tokenizer_class {name}, which is all in a {TOKENIZER_JSON}; there is none")
    return True


def normalization(said: Said, generic: bool, lower_case: bool | None) -> TokenizerSettings:
    """How texts are normalized; ``lower_case`` where no file says it (None: where no word has a capital letter)."""
    whole = said.whole
    theirs = by_steps(whole.steps) if whole else None
    if generic or said.config is None:
        if theirs is None:
            return TokenizerSettings.of(_by_words(said) if lower_case is None else lower_case)
        if said.config is None and theirs != TokenizerSettings():
            said.notes.append(f"{TOKENIZER_JSON} says how texts are normalized ({theirs.described()}); transformers "
                              f"wants it in {CONFIG} too, and without one lower-cases")
        return theirs
    lower = _flag(said.config, "do_lower_case", True)
    ours = TokenizerSettings(lower, _flag(said.config, "strip_accents", lower),
                             whole is None or steps.CLEAN in whole.steps,
                             _flag(said.config, "tokenize_chinese_chars", True))
    if theirs is not None and ours != theirs:
        different = ", ".join(f"{name} {str(getattr(ours, field)).lower()}" for field, name in _FLAGS.items()
                              if getattr(ours, field) != getattr(theirs, field))
        said.notes.append(f"{CONFIG} and {TOKENIZER_JSON} disagree: {different} counts, which {CONFIG} says or leaves "
                          "to its default, as in transformers")
    elif said.config.get("do_lower_case") is None and has_capitals(said.words):
        said.notes.append(f"{said.origin.name} has words with capital letters, but {CONFIG} does not say do_lower_case "
                          "false: texts are lower-cased, as in transformers")
    _say_ignored(said, said.config)
    return ours


def _by_words(said: Said) -> bool:
    """Whether the words themselves look lower-cased, where nothing else says it."""
    cased = has_capitals(said.words)
    if cased:
        said.notes.append(f"{said.origin.name} has words with capital letters and there is no {CONFIG}: texts keep "
                          "theirs (transformers would lower-case them)")
    return not cased


def by_steps(taken: frozenset[str]) -> TokenizerSettings:
    """The settings that a normalizer of these steps has."""
    return TokenizerSettings(lower_case=steps.LOWER in taken, strip_accents=steps.ACCENTS in taken,
                             clean_text=steps.CLEAN in taken, chinese_characters=steps.CHINESE in taken)


def _flag(config: Mapping[str, Any], name: str, default: bool) -> bool:
    value = config.get(name)
    if value is not None and type(value) is not bool:
        raise DataError(f"{CONFIG}: {name} is {value!r}; it must be true, false or null")
    return default if value is None else value


def _say_ignored(said: Said, config: Mapping[str, Any]) -> None:
    """What transformers' slow tokenizers obey alone; AutoTokenizer gives fast ones."""
    ignored = [f"never_split {config['never_split']}"] if config.get("never_split") else []
    ignored += ["do_basic_tokenize false"] if config.get("do_basic_tokenize") is False else []
    if ignored:
        said.notes.append(f"{CONFIG} says {' and '.join(ignored)}: left out of account, as in transformers' fast "
                          "tokenizers; tokens that must stay whole are added tokens")


def has_capitals(vocabulary: Iterable[str]) -> bool:
    """Whether any word holds a letter that lower-casing changes; [CLS] and its like do not count."""
    return any(word != word.lower() for word in vocabulary if not (word.startswith("[") and word.endswith("]")))


@dataclass(frozen=True)
class Special:
    """The special tokens that have names."""

    # Name -> token: the five, and whatever else a file names or lists.
    names: Mapping[str, str]
    # Token -> its flags, where a file gives them beside the name.
    flags: Mapping[str, AddedToken]

    def into(self, settings: TokenizerSettings) -> TokenizerSettings:
        """``settings`` with the five."""
        pad, unk, cls, sep, mask = (self.names[name] for name in _OURS)
        return replace(settings, pad_token=pad, unk_token=unk, cls_token=cls, sep_token=sep, mask_token=mask)


def special_tokens(said: Said, generic: bool) -> Special:
    """Which tokens are special. Raises DataError for a value that is no token."""
    merged = _merged(said)
    names: dict[str, str] = {}
    flags: dict[str, AddedToken] = {}
    whole, default = said.whole, TokenizerSettings()
    inside = {"unk_token": whole.unk_token, "cls_token": whole.cls_token, "sep_token": whole.sep_token,
              "pad_token": whole.pad_token} if whole else {}
    for name in _NAMED:
        value, theirs = merged.get(name), inside.get(name)
        if value is None or (generic and theirs and name != "pad_token"):
            value = theirs or value or (getattr(default, name) if name in _OURS else None)
        if value is None:
            continue
        token = token_of(name, value, special=True)
        if theirs not in (None, token.content):
            said.notes.append(f"{CONFIG} and {TOKENIZER_JSON} disagree about {name}: {token.content} counts, not "
                              f"{theirs}, as in transformers")
        names[name] = token.content
        if isinstance(value, Mapping):
            flags[token.content] = token
    for name, token in _further(merged):
        names.setdefault(name, token.content)
        flags.setdefault(token.content, token)
    return Special(names, flags)


def _merged(said: Said) -> dict[str, Any]:
    """tokenizer_config.json, and over it special_tokens_map.json where the former does not list the added tokens."""
    config = said.config or {}
    if "added_tokens_decoder" in config:
        return config
    for name in _OURS:
        ours, theirs = config.get(name), said.special.get(name)
        if ours and theirs and token_of(name, ours).content != token_of(name, theirs).content:
            said.notes.append(f"{CONFIG} and {SPECIAL_TOKENS} disagree about {name}: {SPECIAL_TOKENS} counts, as in "
                              "transformers")
    return {**config, **said.special}


def _further(merged: Mapping[str, Any]) -> Iterator[tuple[str, AddedToken]]:
    """Special tokens under keys of their own, and those that are listed."""
    for key, value in merged.items():
        if key.endswith("_token") and key not in _NAMED and isinstance(value, str):
            yield key, token_of(key, value, special=True)
    for key in _LISTS:
        value = merged.get(key) or []
        if not isinstance(value, (list, dict)):
            raise DataError(f"{key} is {value!r}; it must be a list of tokens")
        pairs = value.items() if isinstance(value, dict) else ((f"{key} {i}", one) for i, one in enumerate(value))
        for name, one in pairs:
            yield name, token_of(name, one, special=True)


def token_of(name: str, value: Any, special: bool | None = None) -> AddedToken:
    """A token that a file gives as a word, or as an object with flags; ``special`` where that is known.

    A special token is looked for in the text as it is, another one in the normalized text, unless its flags say
    otherwise. Raises DataError for a value that is neither.
    """
    raw = {"content": value} if isinstance(value, str) else value
    if not isinstance(raw, Mapping) or not isinstance(raw.get("content"), str):
        raise DataError(f"{name} is {value!r}; it must be a token, or an object with its content")
    is_special = bool(raw.get("special", False)) if special is None else special
    return AddedToken(raw["content"], bool(raw.get("single_word", False)), bool(raw.get("lstrip", False)),
                      bool(raw.get("rstrip", False)), bool(raw.get("normalized", not is_special)), is_special)


def listed_tokens(said: Said, special: Special, generic: bool) -> dict[int, AddedToken]:
    """Id -> token that is matched whole, for those that a file lists with an id. Raises DataError."""
    listed = (said.config or {}).get("added_tokens_decoder")
    inside = dict(said.whole.added) if said.whole else {}
    if listed is None:
        found = {_id(ADDED_TOKENS, i): token_of(ADDED_TOKENS, word, special=word in special.names.values())
                 for word, i in said.added.items()}
        return {**found, **inside}
    if not isinstance(listed, Mapping):
        raise DataError(f"{CONFIG}: added_tokens_decoder is {listed!r}; it must be an object of ids and tokens")
    found = {_id(CONFIG, i): token_of(f"added_tokens_decoder {i}", token) for i, token in listed.items()}
    if generic:
        return {**inside, **found}
    contents = {token.content for token in found.values()} | set(special.names.values())
    if left := [token.content for token in inside.values() if token.content not in contents]:
        said.notes.append(f"{TOKENIZER_JSON} has added tokens that {CONFIG} does not list ({shorten(left, 3)}): left "
                          "out, as in transformers 5")
    return found


def _id(name: str, value: Any) -> int:
    if type(value) is int or (isinstance(value, str) and is_whole(value)):
        return int(value)
    raise DataError(f"{name}: an added token has the id {value!r}; it must be a whole number")


def added_tokens(said: Said, special: Special, listed: Mapping[int, AddedToken]) -> list[AddedToken]:
    """All tokens that are matched whole, in the order in which transformers adds them."""
    tokens = {token.content: token for _, token in sorted(listed.items())}
    for content in special.names.values():
        flags = special.flags.get(content) or AddedToken(content, special=True)
        tokens[content] = replace(tokens.get(content, flags), special=True)
    return [replace(token, word=token.content in said.words) for token in tokens.values()]
