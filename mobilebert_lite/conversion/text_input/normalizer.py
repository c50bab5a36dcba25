"""What the reference tokenizer does to each character, as a table for tensorflow-text's normalizer.

tensorflow-text comes with a table of its own, which folds more than BERT does (½ to 1⁄2, ﬁ to fi, … to three full
stops) and keeps what BERT removes (private use); with this one it does what Hugging Face's does.
"""

from __future__ import annotations

from functools import cache

import flatbuffers
from tokenizers.normalizers import BertNormalizer

from mobilebert_lite.conversion.text_input import trie

# How text_norm in fast_bert_normalizer.h of tensorflow-text packs a value: changed, offset in the pool, length.
_CHANGED, _LENGTH_BITS = 0x40000000, 6
# Planes 15 and 16, all private use: nothing stands there in practice, and the table would be twice as large.
_LAST = 0xEFFFF
_SURROGATES = range(0xD800, 0xE000)


@cache
def table(lower_case: bool, strip_accents: bool | None = None) -> dict[str, str]:
    """Character -> what the reference makes of it, for each that it changes.

    The reference works character by character too: control characters go, white space becomes a space, for
    ``strip_accents`` (None: as ``lower_case``) the character is decomposed and its accents go, and for ``lower_case``
    the rest is lower-cased.
    """
    normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=strip_accents,
                                lowercase=lower_case)
    changed = {}
    for code in range(_LAST + 1):
        if code in _SURROGATES:
            continue
        character = chr(code)
        normal = normalizer.normalize_str(character)
        if normal != character:
            changed[character] = normal
    return changed


@cache
def model(lower_case: bool, strip_accents: bool | None = None) -> bytes:
    """``table`` as the flatbuffer that FastBertNormalizer reads (fast_bert_normalizer_model.fbs)."""
    pool = bytearray()
    places: dict[str, int] = {}
    values: dict[bytes, int] = {}
    for character, normal in table(lower_case, strip_accents).items():
        text = normal.encode()
        if normal not in places:
            places[normal] = len(pool)
            pool += text
        place = places[normal] if text else 0
        values[character.encode()] = _CHANGED | place << _LENGTH_BITS | len(text)
    # A trie has no empty key, which a NUL would be.
    zero = values.pop(b"\0", 0)
    builder = flatbuffers.Builder(len(pool) + 1024)
    units = builder.CreateNumpyVector(trie.build(values))
    strings = builder.CreateByteVector(bytes(pool))
    builder.StartObject(4)
    builder.PrependBoolSlot(0, lower_case, False)
    builder.PrependUOffsetTRelativeSlot(1, units, 0)
    builder.PrependInt32Slot(2, zero, 0)
    builder.PrependUOffsetTRelativeSlot(3, strings, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())
