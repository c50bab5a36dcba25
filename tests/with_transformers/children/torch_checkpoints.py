"""``torch_checkpoints.py VOCABULARY FOLDER``: every head in every kind of file, as PyTorch's classes have them.

FOLDER/HEAD/KIND holds what ``save_pretrained`` of the model and of its AutoTokenizer wrote; ``expected.npz`` in it has
inputs and the outputs of the model that ``from_pretrained`` reads from there, computed in float32.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tiny_heads
import torch
import transformers
from huggingface_hub import split_torch_state_dict_into_shards

# Small enough for three shards or more.
SHARD = 100_000


def model_of(name: str, words: int) -> torch.nn.Module:
    config = transformers.MobileBertConfig(**tiny_heads.settings(name, words))
    model = getattr(transformers, f"MobileBert{tiny_heads.HEADS[name].suffix}")(config).eval()
    rng = np.random.default_rng(sorted(tiny_heads.HEADS).index(name))
    with torch.no_grad():
        for parameter, tensor in model.named_parameters():
            tensor.copy_(torch.from_numpy(tiny_heads.random_values(parameter, tuple(tensor.shape), rng)))
    return model


def write_config(model: torch.nn.Module, folder: Path) -> None:
    """As ``save_pretrained`` of the model does."""
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)


def write_pickle(model: torch.nn.Module, folder: Path, **options: bool) -> None:
    """What ``save_pretrained`` wrote until transformers 5, which writes no pickles any more."""
    write_config(model, folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin", **options)


def write_sharded_pickle(model: torch.nn.Module, folder: Path) -> None:
    write_config(model, folder)
    state = model.state_dict()
    split = split_torch_state_dict_into_shards(state, filename_pattern="pytorch_model{suffix}.bin",
                                               max_shard_size=SHARD)
    for file, names in split.filename_to_tensors.items():
        torch.save({name: state[name] for name in names}, folder / file)
    index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


KINDS = {
    "safetensors": lambda model, folder: model.save_pretrained(folder),
    "sharded": lambda model, folder: model.save_pretrained(folder, max_shard_size=SHARD),
    "bin": write_pickle,
    "legacy-bin": lambda model, folder: write_pickle(model, folder, _use_new_zipfile_serialization=False),
    "sharded-bin": write_sharded_pickle,
    "float16": lambda model, folder: model.half().save_pretrained(folder),
    "bfloat16": lambda model, folder: model.bfloat16().save_pretrained(folder),
    "float16-bin": lambda model, folder: write_pickle(model.half(), folder),
    "bfloat16-bin": lambda model, folder: write_pickle(model.bfloat16(), folder),
}


def expected(folder: Path, name: str, words: int) -> dict[str, np.ndarray]:
    """Of the class that transformers finds for the folder, read anew."""
    suffix = tiny_heads.HEADS[name].suffix
    model = getattr(transformers, f"MobileBert{suffix}").from_pretrained(folder, dtype=torch.float32).eval()
    arrays = tiny_heads.inputs(name, words)
    with torch.no_grad():
        outputs = model(**{key: torch.from_numpy(value) for key, value in arrays.items()})
    return {**arrays, **{f"out_{key}": value.numpy() for key, value in outputs.items()}}


def main(vocabulary: str, root: str) -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer = transformers.BertTokenizer(vocabulary)
    for name in tiny_heads.HEADS:
        for kind, write in KINDS.items():
            folder = Path(root, name, kind)
            folder.mkdir(parents=True)
            write(model_of(name, len(tokenizer)), folder)
            tokenizer.save_pretrained(folder)
            np.savez(folder / "expected.npz", **expected(folder, name, len(tokenizer)))


if __name__ == "__main__":
    main(*sys.argv[1:])
