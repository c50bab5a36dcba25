"""What the pickle of ``torch.save`` says of tensors: which names it may hold, and which elements each tensor is.

Source: torch/_utils.py (``_rebuild_…``) and torch/serialization.py (``persistent_id``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mobilebert_lite.converters.files.pickles import Call, Global, PickleError, damaged, shown

DICTIONARY = "collections.OrderedDict"
# Types that weights can have, and bytes of an element.
READABLE = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1,
            "uint8": 1, "bool": 1}
# Types that are known, so that a tensor of them is refused by its own name.
_SIZES = {**READABLE, "complex64": 8, "complex128": 16, "uint16": 2, "uint32": 4, "uint64": 8, "float8_e4m3fn": 1,
          "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1}
_STORAGES: dict[str, str | None] = {f"torch.{name}Storage": dtype for name, dtype in (
    ("Float", "float32"), ("Double", "float64"), ("Half", "float16"), ("BFloat16", "bfloat16"), ("Long", "int64"),
    ("Int", "int32"), ("Short", "int16"), ("Char", "int8"), ("Byte", "uint8"), ("Bool", "bool"),
    ("ComplexFloat", "complex64"), ("ComplexDouble", "complex128"))}
# Bytes; their type is said by the tensor.
_STORAGES |= {"torch.storage.UntypedStorage": None, "torch.UntypedStorage": None}
_DTYPES = {f"torch.{name}": name for name in _SIZES}
# storage, offset, size, strides, …; the third has a type in the seventh place.
_TYPED = "torch._utils._rebuild_tensor_v3"
_TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", _TYPED)
# A tensor with something around it: the tensor comes first.
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
# How, which class, arguments, state.
_SUBCLASS = "torch._tensor._rebuild_from_type_v2"
_CLASSES = ("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter", "torch.Size")
KNOWN = frozenset((DICTIONARY, *_STORAGES, *_DTYPES, *_TENSORS, *_PARAMETERS, _SUBCLASS, *_CLASSES))

_MOST_AXES = 32  # of a NumPy array
# Where checkpoints of training programs keep the state dict, in the order in which it is looked for.
_NESTED = ("state_dict", "model_state_dict", "model", "module")


@dataclass(frozen=True)
class Storage:
    """Elements that stand outside the pickle, or a part of them."""

    key: str
    # None for bytes whose type the tensor says.
    dtype: str | None
    # Of the whole storage in the file.
    stored: int
    start: int
    elements: int

    @property
    def stored_bytes(self) -> int:
        """How long it is in the file."""
        return self.stored * (_SIZES[self.dtype] if self.dtype else 1)


@dataclass(frozen=True)
class View:
    """A tensor: elements of a storage, all of which lie in it."""

    key: str
    dtype: str
    # In elements of the whole storage.
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it has, and what its empty axes would multiply to."""
        return math.prod(max(size, 1) for size in self.shape)

    def of(self, content: bytearray) -> np.ndarray:
        """The tensor as float32, a copy of what is in ``content``, the bytes of the storage."""
        size = READABLE[self.dtype]
        flat = np.frombuffer(content, np.uint16 if self.dtype == "bfloat16" else self.dtype,
                             len(content) // size)[self.offset:]
        view = np.lib.stride_tricks.as_strided(flat, self.shape, [size * stride for stride in self.strides])
        if self.dtype == "bfloat16":  # the upper half of a float32
            return (view.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(over="ignore"):
            return np.array(view, np.float32, order="C")


def storage(reference: Any) -> Storage:
    """What a persistent reference of ``torch.save`` points at. Raises PickleError for any other."""
    if not isinstance(reference, tuple) or len(reference) not in (5, 6):
        raise damaged()
    kind, storage_type, key, _, count = reference[:5]
    if (kind != "storage" or not isinstance(storage_type, Global) or storage_type.name not in _STORAGES
            or not isinstance(key, str) or not _is_count(count)):
        raise damaged()
    whole = Storage(key, _STORAGES[storage_type.name], count, 0, count)
    if len(reference) == 5 or reference[5] is None:
        return whole
    # Old PyTorch: a part of another storage, (key, start, elements).
    part = reference[5]
    if not isinstance(part, tuple) or len(part) != 3 or not all(map(_is_count, part[1:])) or sum(part[1:]) > count:
        raise damaged()
    return replace(whole, start=part[1], elements=part[2])


def state_dict(value: Any) -> tuple[dict[str, Call], str]:
    """The tensors in ``value`` by name, and the key under which they were in it; "" where it holds them itself.

    Training programs keep them one level down. Raises PickleError where there are none, or several such levels.
    """
    if not isinstance(value, dict):
        raise PickleError("holds no state dict: no mapping from names to tensors")
    if tensors := _tensors(value):
        return tensors, ""
    inside = {key: tensors for key, one in value.items()
              if isinstance(key, str) and isinstance(one, dict) and (tensors := _tensors(one))}
    chosen = next((key for key in _NESTED if key in inside), None) or next(iter(inside), None)
    if chosen is None:
        raise PickleError("holds no tensors")
    if chosen not in _NESTED and len(inside) > 1:
        raise PickleError(f"holds several state dicts ({', '.join(map(shown, list(inside)[:6]))}); save the one you "
                          "want in a file of its own")
    return inside[chosen], chosen


def _tensors(mapping: Mapping[Any, Any]) -> dict[str, Call]:
    return {name: value for name, value in mapping.items()
            if isinstance(name, str) and isinstance(value, Call)
            and value.function.name in (*_TENSORS, *_PARAMETERS, _SUBCLASS)}


def view(name: str, call: Call) -> View:
    """Which elements the tensor ``name`` is. Raises PickleError unless all of them are in the storage."""
    call = _unwrapped(call)
    if call.function.name not in _TENSORS or len(call.arguments) < (7 if call.function.name == _TYPED else 4):
        raise damaged()
    source, offset, shape, strides = call.arguments[:4]
    if not isinstance(source, Storage) or not _is_count(offset):
        raise damaged()
    dtype, elements, start = source.dtype, source.elements, source.start
    if call.function.name == _TYPED:
        dtype = _DTYPES.get(call.arguments[6].name) if isinstance(call.arguments[6], Global) else None
    if dtype is None:
        raise damaged()
    if dtype not in READABLE:
        raise PickleError(f"holds {shown(name)} as {dtype}; weights are float16, bfloat16, float32 or float64")
    if source.dtype is None:
        if start % READABLE[dtype]:
            raise damaged()
        elements, start = elements // READABLE[dtype], start // READABLE[dtype]
    elif source.dtype != dtype:
        raise damaged()
    shape, strides = _axes(shape), _axes(strides)
    if len(shape) != len(strides):
        raise damaged()
    # The step along an axis of one element is never taken.
    strides = tuple(stride if size > 1 else 0 for size, stride in zip(shape, strides, strict=True))
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True) if size)
    if 0 not in shape and last >= elements:
        raise PickleError(f"is damaged: {shown(name)} reaches beyond its storage")
    return View(source.key, dtype, 0 if 0 in shape else start + offset, shape, strides)


def _unwrapped(call: Call) -> Call:
    """The tensor inside a parameter, and inside a tensor with attributes."""
    for _ in range(3):
        if call.function.name in _PARAMETERS and call.arguments and isinstance(call.arguments[0], Call):
            call = call.arguments[0]
        elif call.function.name == _SUBCLASS and len(call.arguments) >= 3:
            function, _, arguments = call.arguments[:3]
            if not isinstance(function, Global) or not isinstance(arguments, tuple):
                raise damaged()
            call = Call(function, arguments)
    return call


def _axes(value: Any) -> tuple[int, ...]:
    """A shape or strides: a tuple, which torch.Size may stand around."""
    if isinstance(value, Call) and value.function.name == "torch.Size" and len(value.arguments) == 1:
        value = value.arguments[0]
    if not isinstance(value, tuple) or len(value) > _MOST_AXES or not all(map(_is_count, value)):
        raise damaged()
    return value


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48
