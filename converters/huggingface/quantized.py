"""Tensors that are no float numbers: weights that another tool has quantized, and complex ones. They are refused."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mobilebert_lite.common.json_text import parse
from mobilebert_lite.errors import CheckpointError, shorten

_FLOAT = ("F16", "BF16", "F32", "F64")
# Whole numbers that are no weights: positions, counters.
_COUNTS = re.compile(r"(?:.*\.)?(position_ids|token_type_ids|num_batches_tracked|n_averaged)\Z")
# What a tool keeps beside quantized weights, by the ends of names; the first that fits.
_TOOLS: tuple[tuple[str, re.Pattern[str]], ...] = tuple((tool, re.compile(pattern)) for tool, pattern in (
    ("bitsandbytes", r".*\.(SCB|weight_format|(nested_)?absmax|(nested_)?quant_map|quant_state\..+)\Z"),
    ("GPTQ", r".*\.g_idx\Z"),
    ("GPTQ or AWQ", r".*\.(qweight|qzeros)\Z"),
    ("HQQ", r".*\.W_q\Z"),
    ("FP8 or compressed-tensors",
     r".*\.(weight_scale(_inv)?|weight_packed|weight_zero_point|weight_global_scale|(in|out)put_scale)\Z"),
    ("quanto", r".*\.weight\._(data|scale|shift)\Z"),
    ("PyTorch", r".*(\._packed_params(\..+)?|\.zero_point)\Z"),
))
_WAY = ("quantize with mbl instead: give the float checkpoint that it was made from, or have the library that wrote it "
        "write floats (in transformers: model.dequantize(), then save_pretrained)")


def refuse_config(config: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointError where a ``config.json`` says that its weights are quantized."""
    said = config.get("quantization_config")
    if said:
        method = said.get("quant_method") if isinstance(said, Mapping) else None
        raise CheckpointError(f"{path} has a quantization_config ({method or 'of no named method'}): the weights are "
                              f"quantized; {_WAY}")


def refuse_names(names: Iterable[str], path: Path) -> None:
    """Raise CheckpointError where ``names`` of tensors are those of a tool that quantizes."""
    names = sorted(names)
    for tool, pattern in _TOOLS:
        if found := [name for name in names if pattern.match(name)]:
            raise CheckpointError(f"{path} holds weights quantized by {tool} ({shorten(found, 2)}); {_WAY}")


def refuse_dtypes(path: Path) -> None:
    """Raise CheckpointError where a safetensors file holds other numbers than floats, or names of ``refuse_names``.

    What cannot be read is left to the reader, which says so.
    """
    dtypes = _dtypes(path)
    refuse_names(dtypes, path)
    for name, dtype in dtypes.items():
        if dtype in _FLOAT or _COUNTS.match(name):
            continue
        if dtype.startswith("C"):
            raise CheckpointError(f"{path}: {name} is {dtype}, complex numbers, which no MobileBERT has; it is another "
                                  "model's, or was saved by mistake")
        raise CheckpointError(f"{path}: {name} is {dtype}, no float numbers: the weights are quantized; {_WAY}")


def _dtypes(path: Path) -> dict[str, str]:
    """Name -> number format, from the header: its length in 8 bytes, then JSON. Empty where it is damaged."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = parse(file.read(min(length, path.stat().st_size)), f"the header of {path}", CheckpointError)
        return {str(name): str(value["dtype"]) for name, value in header.items() if name != "__metadata__"}
    except (OSError, CheckpointError, struct.error, AttributeError, TypeError, KeyError):
        return {}
