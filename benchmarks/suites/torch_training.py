"""The steps that transformers' MobileBERT makes in PyTorch; the other half of training_speed.py, which starts it.

Run in a virtual environment of its own with torch and transformers, and nothing of this project. It reads the number
of steps to make from each line of stdin, and answers with a line of JSON: the seconds they took, and their losses.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
import torch
import transformers


def groups(model: torch.nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight decay for the kernels of dense layers alone."""
    kernels = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Linear)}
    return [{"params": [each for each in model.parameters() if (id(each) in kernels) == wanted], "weight_decay": value}
            for wanted, value in ((True, decay), (False, 0.0))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--batch", required=True, help="npz with ids, mask, segment_ids, labels")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--decay", type=float, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = transformers.MobileBertForSequenceClassification.from_pretrained(options.checkpoint).train()
    arrays = np.load(options.batch)
    batch = {"input_ids": arrays["ids"], "attention_mask": arrays["mask"], "token_type_ids": arrays["segment_ids"],
             "labels": arrays["labels"]}
    inputs = {name: torch.from_numpy(array.astype(np.int64)) for name, array in batch.items()}
    optimizer = torch.optim.AdamW(groups(model, options.decay), lr=options.rate, betas=(0.9, 0.98), eps=1e-8)
    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__,
                      "parameters": sum(each.numel() for each in model.parameters())}), flush=True)
    for line in sys.stdin:
        losses, started = [], time.perf_counter()
        for _ in range(int(line)):
            optimizer.zero_grad()
            loss = model(**inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(float(loss.detach()))
        print(json.dumps({"seconds": time.perf_counter() - started, "losses": losses}), flush=True)


if __name__ == "__main__":
    main()
