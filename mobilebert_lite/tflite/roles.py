"""What inputs and outputs are, told from what files call them."""

from __future__ import annotations

import re

# Names that the text clients look for in the metadata, in the order in which a client without metadata reads; for
# inputs see architecture.form.INPUTS.
QA_OUTPUTS = ("end_logits", "start_logits")
PROBABILITY = "probability"
VECTORS = ("sequence_output", "pooled_output")
VECTOR = "embedding"

# What a name must contain, between other letters or alone, to mean one of these; the first that fits.
_MEANINGS = {
    "inputs": ((r"masks?", "mask"), (r"segments?|types?", "segment_ids"), (r"ids?|words?|tokens?", "ids")),
    "outputs": ((r"end", QA_OUTPUTS[0]), (r"start", QA_OUTPUTS[1]), (r"prob\w*|softmax|scores?", PROBABILITY),
                (r"sequence output", VECTORS[0]), (r"pooled output|pooler output", VECTORS[1]),
                (r"embeddings?", VECTOR)),
}


def role_of(name: str, side: str) -> str | None:
    """What ``name`` says that its tensor is, on the ``side`` inputs or outputs; None where it says nothing.

    ``input_word_ids:0`` are ids, ``tokenTypeIds`` segment_ids.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()
    return next((role for pattern, role in _MEANINGS[side]
                 if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", words)), None)
