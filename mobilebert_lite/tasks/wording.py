"""Words for metadata that several tasks share."""

from __future__ import annotations

from collections.abc import Mapping

# The network's inputs.
INPUTS: Mapping[str, str] = {
    "ids": "Ids of the tokens: [CLS], the first text, [SEP], and, where there is a second one, that text and [SEP]; "
           "[PAD] after that.",
    "mask": "1 for each token, 0 for padding.",
    "segment_ids": "0 for the first text with its [CLS] and [SEP], 1 for the second one with its [SEP]; 0 for padding.",
}
# Inputs of signatures that take texts.
TEXTS: Mapping[str, str] = {"text": "A text, UTF-8.", "pair": "A second text, UTF-8; empty where there is none."}
# Axes of what has a row for every token.
TOKENS = ("batch", "token")


def scores(output: str, of: str = "each class") -> str:
    """What ``probability`` or ``logits`` say, where one of several is right."""
    return (f"Probability of {of} (softmax): together 1." if output == "probability" else
            f"Score of {of}. Logits: a softmax makes them probabilities.")
