"""A reader of pickles that runs nothing: of the pickle machine only what builds plain data.

A pickle is a program, and Python's own machine calls whatever the program names. This one has no way to look a name up
or to call anything. It knows the instructions that build numbers, texts, lists, tuples and dictionaries; a name becomes
a ``Global`` and a call of it a ``Call``, which are data too. The reader of the file says which names it knows, and the
first other one ends the reading. Instructions and bytes are bounded, so memory and time are.

Source: the opcodes of Lib/pickletools.py, which splits the bytes into instructions.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from mobilebert_lite.errors import printable

# A state dict takes some 40 instructions and 200 bytes for each tensor.
MOST_STEPS, MOST_BYTES = 1_000_000, 16 << 20
_LONGEST_NUMBER = 16  # bytes; the magic number of PyTorch's old files has ten


class PickleError(ValueError):
    """What a pickle holds and must not; the text follows the name of the file."""


@dataclass(frozen=True)
class Global:
    """A name in a pickle. Nothing looks it up."""

    name: str


@dataclass(frozen=True)
class Call:
    """What the pickle wants called, with which arguments, and what it wants set on the result. Nothing calls it."""

    function: Global
    arguments: tuple[Any, ...]


class _Mark:
    """Where the items of a collection begin on the stack."""


class Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, known: frozenset[str], dictionary: str, refer: Callable[[Any], Any]) -> None:
        """``known`` are the names it may hold; a call of ``dictionary`` makes an empty dictionary.

        ``refer`` gives the value of a reference to something beside the pickle, or raises PickleError.
        """
        self._known, self._dictionary, self._refer = known, dictionary, refer
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def load(self, stream: BinaryIO) -> Any:
        """The value of the pickle that starts at the place of ``stream``, which is left behind it.

        Raises PickleError when it is damaged, or holds what is not known.
        """
        for step, (opcode, argument) in enumerate(_instructions(stream)):
            if step >= MOST_STEPS:
                raise PickleError(f"has a pickle of more than {MOST_STEPS:,} instructions; a state dict needs far less")
            if opcode == "STOP":
                return self._pop()
            act = _ACTIONS.get(opcode)
            if act is None:
                raise PickleError(f"uses the pickle instruction {opcode}, which tensors do not need")
            act(self, argument)
        raise damaged()

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _top(self) -> Any:
        """The last value; a mark is none."""
        if not self._stack or self._stack[-1] is _Mark:
            raise damaged()
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        """The values after the last mark, which goes away."""
        place = next((i for i in range(len(self._stack) - 1, -1, -1) if self._stack[i] is _Mark), None)
        if place is None:
            raise damaged()
        values = self._stack[place + 1:]
        del self._stack[place:]
        return values

    def _tuple(self, size: int) -> None:
        values = [self._pop() for _ in range(size)]
        self._push(tuple(reversed(values)))

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise damaged()
        self._push(self._memo[index])

    def _put(self, index: int | None) -> None:
        self._memo[len(self._memo) if index is None else index] = self._top()

    def _global(self, module: Any, name: Any) -> None:
        full = f"{module}.{name}"
        if not isinstance(module, str) or not isinstance(name, str) or full not in self._known:
            raise PickleError(f"holds {shown(full)}, which tensors do not need; nothing was run; save the "
                              "weights alone, as save_pretrained does")
        self._push(Global(full))

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("computes a name, which tensors do not need; nothing was run")
        self._global(module, name)

    def _reduce(self, _: Any) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise damaged()
        if function.name == self._dictionary:
            if arguments:
                raise PickleError(f"calls {self._dictionary} with arguments, which tensors do not need")
            self._push({})
        else:
            self._push(Call(function, arguments))

    def _build(self, _: Any) -> None:
        """What is set on a value carries no tensor: ``_metadata`` of a state dict."""
        self._pop()
        if not isinstance(self._top(), dict):
            raise PickleError("sets the state of an object, which tensors do not need; nothing was run")

    def _append(self, values: list[Any]) -> None:
        if not isinstance(self._top(), list):
            raise damaged()
        self._top().extend(values)

    def _set(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(values) % 2:
            raise damaged()
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Others, such as tuples in tuples, can make hashing slow or end the process.
            if not isinstance(key, str) and not (isinstance(key, int) and abs(key) < 1 << 31):
                raise PickleError(f"has a {type(key).__name__} as a key of a dictionary, which tensors do not need")
            target[key] = value


def _instructions(stream: BinaryIO) -> Iterator[tuple[str, Any]]:
    bounded = _Bounded(stream)
    try:
        for opcode, argument, _ in pickletools.genops(bounded):  # type: ignore[arg-type]
            yield opcode.name, argument
    except PickleError:
        raise
    except Exception as error:  # pickletools raises ValueError, UnicodeError, OverflowError, … on damaged bytes
        raise damaged() from error


class _Bounded:
    """A stream that ends the reading where no pickle of a state dict is so long."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._left = stream, MOST_BYTES

    def read(self, size: int) -> bytes:
        return self._spend(self._stream.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._spend(self._stream.readline(self._left + 1))

    def _spend(self, content: bytes) -> bytes:
        self._left -= len(content)
        if self._left < 0:
            raise PickleError(f"has a pickle of more than {MOST_BYTES >> 20} MiB; a state dict needs far less")
        return content


def shown(text: str) -> str:
    """A name out of a stranger's file, fit for one line."""
    text = printable(text[:200]).replace("\n", "\ufffd").replace("\t", "\ufffd")
    return text.encode("utf-8", "backslashreplace").decode()  # half surrogates cannot be printed


def damaged() -> PickleError:
    """What is in no file that its writer finished."""
    return PickleError("is damaged: its pickle makes no sense")


def _number(value: int) -> int:
    if value.bit_length() > 8 * _LONGEST_NUMBER:
        raise PickleError("has a number that tensors do not need")
    return value


def _pushes(value: Callable[[], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine._push(value())


def _split(text: str) -> tuple[str, str]:
    """``pickletools`` joins the two lines of a GLOBAL by a space."""
    module, _, name = text.partition(" ")
    return module, name


_plain = Machine._push
# The instructions that state dicts are made of, by any protocol from 2 to 5.
_ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, argument: None),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
                     "SHORT_BINSTRING", "BINSTRING"), _plain),
    "LONG1": lambda machine, argument: machine._push(_number(argument)),
    "NONE": _pushes(lambda: None), "NEWTRUE": _pushes(lambda: True), "NEWFALSE": _pushes(lambda: False),
    "EMPTY_TUPLE": _pushes(tuple), "EMPTY_LIST": _pushes(list), "EMPTY_DICT": _pushes(dict),
    "MARK": _pushes(lambda: _Mark),
    "TUPLE": lambda machine, _: machine._push(tuple(machine._pop_to_mark())),
    "TUPLE1": lambda machine, _: machine._tuple(1), "TUPLE2": lambda machine, _: machine._tuple(2),
    "TUPLE3": lambda machine, _: machine._tuple(3),
    "APPEND": lambda machine, _: machine._append([machine._pop()]),
    "APPENDS": lambda machine, _: machine._append(machine._pop_to_mark()),
    "SETITEM": lambda machine, _: machine._set([machine._pop(), machine._pop()][::-1]),
    "SETITEMS": lambda machine, _: machine._set(machine._pop_to_mark()),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), Machine._get),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine._put),
    "GLOBAL": lambda machine, argument: machine._global(*_split(argument)),
    "STACK_GLOBAL": Machine._stack_global,
    "BINPERSID": lambda machine, _: machine._push(machine._refer(machine._pop())),
    "REDUCE": Machine._reduce, "BUILD": Machine._build,
}
