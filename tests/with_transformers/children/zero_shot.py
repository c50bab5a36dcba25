"""``zero_shot.py VOCABULARY FOLDER``: models of NLI, and what the zero-shot-classification pipeline says with them.

Standard input is JSON: ``models`` (name → classes in order) and ``questions`` (arguments of the pipeline). FOLDER/NAME
holds the model and ``scores.json``: for each question the labels and scores, the best first.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tiny_heads
import torch
import transformers


def write(folder: Path, classes: list[str], tokenizer: transformers.BertTokenizer) -> None:
    names = dict(enumerate(classes))
    config = transformers.MobileBertConfig(**{**tiny_heads.TINY, "vocab_size": len(tokenizer), "id2label": names,
                                              "label2id": {name: i for i, name in names.items()}})
    model = transformers.MobileBertForSequenceClassification(config).eval()
    rng = np.random.default_rng(len(classes))
    with torch.no_grad():
        for parameter, tensor in model.named_parameters():
            tensor.copy_(torch.from_numpy(tiny_heads.random_values(parameter, tuple(tensor.shape), rng)))
        # The pipeline pads no text, files do: the last token sees [PAD] beside it, or nothing.
        model.mobilebert.embeddings.word_embeddings.weight[tokenizer.pad_token_id] = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(vocabulary: str, root: str) -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    asked = json.load(sys.stdin)
    tokenizer = transformers.BertTokenizer(vocabulary, model_max_length=asked["length"])
    for name, classes in asked["models"].items():
        folder = Path(root, name)
        write(folder, classes, tokenizer)
        judge = transformers.pipeline("zero-shot-classification", str(folder), device="cpu")
        scores = [judge(**question) for question in asked["questions"]]
        (folder / "scores.json").write_text(json.dumps(scores))


if __name__ == "__main__":
    main(*sys.argv[1:])
