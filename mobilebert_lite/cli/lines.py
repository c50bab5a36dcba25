"""Texts by the line: in files and pipes, and at a prompt."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mobilebert_lite.cli.output import tell
from mobilebert_lite.common.files import refuse_endless
from mobilebert_lite.common.json_text import decode
from mobilebert_lite.errors import DataError

# Keys of a JSON line -> what `mbl run` is asked for; the first key that is there is taken.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "question": ("question",),
    "context": ("context",),
    "text": ("text", "sentence", "sentence1", "premise", "question1", "prompt", "startphrase", "sent1"),
    "pair": ("pair", "text_pair", "sentence2", "hypothesis", "question2"),
    "choices": ("choices", "endings"),
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of ``path``, or of standard input for -. Raises DataError when there are none to read."""
    if str(path) == "-":
        if sys.stdin is None:
            raise DataError("standard input is closed; give --input a file in place of -")
        yield sys.stdin.buffer
        return
    refuse_endless(path)
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    with file:
        yield file


def fields(lines: Iterable[bytes], plain: str | None) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """(number, what a line asks) of each line that is not blank; what is wrong with it where it cannot be read.

    Lines are JSON objects where the first one begins with {, otherwise texts, each of them the ``plain`` one of what is
    asked. Raises DataError for texts where no field is ``plain``.
    """
    is_json: bool | None = None
    for number, line in enumerate(lines, 1):
        content = (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).strip()
        if not content:
            continue
        if is_json is None:
            is_json = content.startswith(b"{")
            if not is_json and plain is None:
                raise DataError("lines of text are questions with --context, or contexts with --question; give one of "
                                'the two, or JSON lines: {"question": …, "context": …}')
        try:
            text = content.decode("utf-8")
            yield number, _object(text) if is_json or plain is None else {plain: text}
        except UnicodeDecodeError as error:
            yield number, DataError(f"not UTF-8 text (byte {error.start})")
        except DataError as error:
            yield number, error


def _object(line: str) -> dict[str, Any]:
    """What a JSON line asks, and its id. Raises DataError for anything that is none."""
    try:
        raw = decode(line, halves=True)
    except ValueError as error:
        raise DataError(f"not JSON ({error}); each line must be an object") from None
    if not isinstance(raw, dict):
        raise DataError(f"{line[:40]} is no JSON object")
    found: dict[str, Any] = {"id": raw["id"]} if "id" in raw else {}
    for name, keys in _KEYS.items():
        key = next((key for key in keys if raw.get(key) is not None), None)
        if key is not None:
            found[name] = _checked(key, raw[key], name)
    return found


def _checked(key: str, value: Any, name: str) -> Any:
    texts = value if name == "choices" and isinstance(value, list) else [value]
    if (name == "choices") != isinstance(value, list) or not all(isinstance(one, str) for one in texts):
        raise DataError(f"{key} is {json.dumps(value, ensure_ascii=False)[:40]}; it must be "
                        f"{'a list of texts' if name == 'choices' else 'a text'}")
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"{key} holds half a surrogate pair; it was cut or decoded wrongly") from None
    return value


def prompted(names: Sequence[str], given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is typed at a prompt for each of ``names`` that is not ``given``, until the end of input.

    An empty line begins anew. A context is asked for once: questions about it follow each other.
    """
    wanted = [name for name in names if not given.get(name)]
    typed: dict[str, Any] = {}
    while True:
        for name in wanted:
            if name in typed:
                continue
            value = _choices() if name == "choices" else _typed(name)
            if value is None:
                return
            if not value:
                typed = {}
                break
            typed[name] = value
        else:
            yield dict(typed)
            typed = {name: value for name, value in typed.items() if name == "context"}


def _typed(name: str) -> str | None:
    """A line; None at the end of input. Answers may go to a file: prompts then go to standard error."""
    try:
        if sys.stdout.isatty():
            with suppress(ImportError):
                import readline  # noqa: F401 - for editing; it also keeps the prompt from a standard error that is hidden
            return input(f"{name}> ").strip()
        tell(f"{name}> ", end="")
        line = sys.stdin.readline()
    except EOFError:
        line = ""
    if not line:
        tell("")
    return line.strip() if line else None


def _choices() -> list[str] | None:
    found: list[str] = []
    while typed := _typed(f"choice {len(found) + 1}"):
        found.append(typed)
    return None if typed is None else found
