"""How padding is kept out of the attention. Every source has its convention; a file records its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobilebert_lite.errors import RequestError

ADDITIVE, MULTIPLICATIVE, MINIMUM = "additive", "multiplicative", "minimum"
FORMS = (ADDITIVE, MULTIPLICATIVE, MINIMUM)

# A quarter of the most negative number of float16, so that a GPU that computes in half precision has room for the sum
# with a score of the same size (fusion.center_keys): the -3.4e38 of float32 and the Model Garden's -1e9 would be -inf
# there, and 0 · -inf is NaN.
LOWEST = -2.0 ** 14
_CONSTANTS = {ADDITIVE: -10000.0, MULTIPLICATIVE: -6.0, MINIMUM: LOWEST}


@dataclass(frozen=True)
class Masking:
    """What becomes of the scores, where ``mask`` is 1 for words and 0 for padding."""

    # additive: scores + (1 - mask)·constant. After the softmax padding has weight 0, exactly, so that the constant
    # does not matter. multiplicative: scores·mask + (1 - mask)·constant, with which padding keeps a small weight.
    form: str = ADDITIVE
    constant: float = _CONSTANTS[ADDITIVE]

    @property
    def multiplies(self) -> bool:
        """Whether the scores of padding are replaced rather than lowered."""
        return self.form == MULTIPLICATIVE


# additive: google-research/mobilebert of 2020 (c3de5da5), with which the published checkpoints were trained;
# multiplicative: its later revision (0c1bbe5f). A checkpoint does not say which of them wrote it.
# minimum: transformers adds the minimum of its number format, the Model Garden -1e9.
_DEFAULTS = {"tf1": ADDITIVE, "tf1_hub": ADDITIVE, "huggingface": MINIMUM, "model_garden": MINIMUM,
             "saved_model": MINIMUM}


def default_masking(source: str, known: str = "") -> Masking:
    """The convention of a source format (``weights.Source.format``), or the one ``known`` of the writer itself."""
    return parse_masking(known or _DEFAULTS.get(source, ADDITIVE))


def parse_masking(text: str) -> Masking:
    """``additive``, ``multiplicative`` or ``minimum``; a constant of one's own follows a colon: ``additive:-120``.

    Raises RequestError for anything else.
    """
    form, colon, number = text.partition(":")
    if form not in FORMS or (form == MINIMUM and colon):
        raise RequestError(f"unknown masking {text!r}; known are {', '.join(FORMS)}, the first two also with a "
                              "constant such as additive:-120")
    try:
        constant = float(number) if colon else _CONSTANTS[form]
    except ValueError:
        constant = math.nan
    if not math.isfinite(constant) or constant >= 0:
        raise RequestError(f"masking {text!r}: the constant must be a number below 0")
    return Masking(ADDITIVE if form == MINIMUM else form, constant)
