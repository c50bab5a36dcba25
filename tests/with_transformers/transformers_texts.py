"""Texts that hold the added and special tokens of ``children/tokenizer_folders.py`` in every surrounding."""

from __future__ import annotations

RENAMED = {"[PAD]": "<pad>", "[UNK]": "<unk>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}

_TOKENS = ("covid-19", "COVID-19", "New York", "new york", "Ünï", "ünï", "uni", "U\u0308ni\u0308", "<l>", "<r>", "<b>",
           "<L>", "alone", "Alone", "Apart", "apart", "the", "The", "##ing", "an", "<ent>", "</ent>", "[unused5]",
           "[MASK]", "[mask]", "[SEP]", "[PAD]", "[UNK]", "[CLS]", *RENAMED.values())
_AROUND = ("{}", "a {} b", "a{}b", "  {}  ", "a  {}\t\n b", "{}{}", "{} {}", "({})", "é{}中", "x {}", "{}, y",
           "{}19 {}s", "\u00a0{}\u3000", "\u200b{}\u00ad")
TEXTS = [around.replace("{}", token) for token in _TOKENS for around in _AROUND] + [
    "New York and new york, NEW YORK, New  York, New\nYork, NewYork", "the covid-19 wave of covid-190 and Covid-19s",
    "alone, stand-alone, standalone, alone_, alone2, Apart., apArt", "[MASK] [SEP][CLS] <mask> </s><s> <ent>x</ent>",
    "", " ", "\t", "\u0000<l>\u0000", "中文 and 中 文", "naïve Ünïcode ÜNÏ", "x" * 101, "Ö" * 100 + " <b> " + "ö" * 101]
PAIRS = [("Who wrote covid-19?", "New York is the <ent>city</ent> of [MASK]."), ("Who is it?", "word " * 60),
         ("long " * 50, "short"), ("?", "an answer"), ("alone <mask> here", "中文 Ünï")]
