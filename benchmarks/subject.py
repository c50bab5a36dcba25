"""A file to be measured, and what it tells of itself before it is run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.benchmarks.host.child import Child
from mobilebert_lite.benchmarks.measuring.texts import ROLES, TextEntry, demo_tokenizer
from mobilebert_lite.benchmarks.reports.result import CPU, File
from mobilebert_lite.errors import DataError, ModelFileError, shorten
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.tasks import TASKS, Task
from mobilebert_lite.text.tokenization import Tokenizer, parse_vocabulary
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.roles import role_of


@dataclass(frozen=True)
class Subject:
    """One file under test."""

    path: Path
    file: File
    task: Task
    tokenizer: Tokenizer
    entries: tuple[TextEntry, ...]
    # How many ids are valid, where the vocabulary is another file's; None: all of the vocabulary.
    word_rows: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of its entries, the shortest first."""
        return tuple(sorted(entry.length for entry in self.entries))


def read_subject(path: Path, tokenizer: Tokenizer | None = None) -> Subject:
    """Read ``path``. ``tokenizer`` is for a file that carries no vocabulary; by default the bundled checkpoint's.

    Raises ModelFileError when it is no ``.tflite`` or does not read token ids.
    """
    content = read_tflite(path)
    try:
        provenance, carried = metadata.read_provenance(content), metadata.read_files(content)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    task = TASKS.get(str(provenance.get("task")))
    recipe = provenance.get("recipe")
    file = File(path.name, hashlib.sha256(content).hexdigest(), len(content), task.name if task else "",
                str(recipe.get("name", "")) if isinstance(recipe, dict) else "", str(provenance.get("toolkit", "")))
    if task is None or metadata.VOCABULARY not in carried:
        return _foreign(path, file, tokenizer)
    task = task.with_form(Form.read(_mapping(provenance.get("form"))))
    try:
        words = Tokenizer(parse_vocabulary(carried[metadata.VOCABULARY]),
                          settings=TokenizerSettings.from_provenance(provenance))
    except DataError as error:
        raise ModelFileError(f"{path}: {error}") from None
    return Subject(path, file, task, words, _entries(path, task, provenance.get("lengths")))


def _mapping(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _entries(path: Path, task: Task, lengths: Any) -> tuple[TextEntry, ...]:
    if not isinstance(lengths, list) or not lengths or not all(type(one) is int and 0 < one < 1 << 20
                                                              for one in lengths):
        raise ModelFileError(f"{path}: its description says lengths {lengths!r}; convert it again")
    return tuple(TextEntry(signature_name(task.name, one), one, {name: name for name in task.form.inputs(one)})
                 for one in lengths)


def _foreign(path: Path, file: File, tokenizer: Tokenizer | None) -> Subject:
    """A file of another toolkit: its inputs are recognized by their names, in a child that loads it."""
    child = Child()
    try:
        said = child.ask("load", path=str(path), threads=1, accelerator=CPU, xnnpack=False, cpus=[], runtime=None)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    finally:
        child.close()
    entries: dict[int, TextEntry] = {}
    for signature, inputs in said["signatures"].items():
        names = roles(list(inputs))
        shape = inputs[names["ids"]][1] if "ids" in names else []
        if len(shape) == 2 and shape[0] == 1 and shape[1] > 1 and set(names.values()) == set(inputs):
            entries.setdefault(shape[1], TextEntry(signature, shape[1], names))
    if not entries:
        seen = [f"{name} {shape}" for inputs in said["signatures"].values() for name, (_, shape) in inputs.items()]
        raise ModelFileError(f"{path}: its inputs are {shorten(seen)}; only files that read ids, mask and segments "
                             "of shape [1, length] can be measured on texts")
    warnings = [f"{file.name} carries no vocabulary: its texts are ids of another one, valid but not its own words"
                ] if tokenizer is None else []
    return Subject(path, file, TASKS["qa"], tokenizer or demo_tokenizer(), tuple(entries.values()),
                   said["word_rows"], tuple(warnings))


def roles(names: Sequence[str]) -> dict[str, str]:
    """Role -> input, from what the inputs are called; by their order where the names say nothing (args_0, …)."""
    found: dict[str, str] = {}
    for name in names:
        role = role_of(name, "inputs")
        if role is None or role in found:
            return dict(zip(ROLES, names, strict=False)) if len(names) <= len(ROLES) else {}
        found[role] = name
    return found
