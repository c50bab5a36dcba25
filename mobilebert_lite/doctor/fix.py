"""``mbl inspect --fix``: a mended copy where only metadata, names, order or versions are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.common.files import write_atomically
from mobilebert_lite.doctor import packages, repairs
from mobilebert_lite.doctor.diagnose import Diagnosis, diagnose_content
from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import METADATA, ORDER, SIGNATURE, STORED, VERSIONS
from mobilebert_lite.doctor.probing import PROBE, probe, random_inputs
from mobilebert_lite.errors import (
    DataError,
    ModelFileError,
    RepairError,
    RequestError,
    VerificationError,
)
from mobilebert_lite.running.isolation.session import IsolatedSession
from mobilebert_lite.running.model import read_tflite
from mobilebert_lite.tasks.labels import encode, read_file
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

# In this order: each reads the file that the one before it wrote.
_STEPS = (VERSIONS, SIGNATURE, ORDER, METADATA, STORED)


@dataclass(frozen=True)
class Mended:
    """What was done, and what is left."""

    output: str
    # Repairs that were made, and why others were not.
    applied: tuple[str, ...]
    skipped: dict[str, str]
    # Whether both files computed the same; None when the original did not run, and why.
    same_outputs: bool | None
    reason: str
    # The state afterwards.
    after: Diagnosis

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"output": self.output, "applied": list(self.applied), "skipped": self.skipped,
                "same_outputs": self.same_outputs, "reason": self.reason, "after": self.after.to_json()}


def fix(path: Path, output: Path, before: Diagnosis, clients: Sequence[str], *, vocabulary: Path | None = None,
        labels: Path | None = None) -> Mended:
    """Write a copy of ``path`` in which what ``before`` calls fixable is mended, and check it again.

    ``vocabulary`` and ``labels`` go into the file in place of those it carries. Raises RepairError when nothing can
    be mended, DataError for names that cannot be told apart, VerificationError when the copy computes anything else;
    nothing is written then.
    """
    content, mended = mended_copy(path, output, before, clients, vocabulary=vocabulary, labels=labels)
    write_atomically(output, content)
    return mended


def mended_copy(path: Path, output: Path, before: Diagnosis, clients: Sequence[str], *, vocabulary: Path | None = None,
                labels: Path | None = None) -> tuple[bytes, Mended]:
    """What ``fix`` would write to ``output``. Raises as ``fix``."""
    if packages.is_package(path):
        raise RequestError(f"{path} is a package, which is mended by building it again; mend the .tflite that goes "
                              "into it")
    content = read_tflite(path)
    given = {metadata.VOCABULARY: _read(vocabulary)} if vocabulary else {}
    if labels:
        given[metadata.LABELS] = encode(read_file(labels))
    wanted = {finding.fix for finding in before.fixable} | ({METADATA} if given else set())
    try:
        mended, applied, skipped = mend(content, {fix for fix in wanted if fix}, given)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    if not applied:
        reasons = "; ".join(skipped.values()) or "nothing that a copy could mend is wrong"
        raise RepairError(f"{path}: {reasons}. No file was written")
    same, reason = compare(content, mended)
    if same is False:
        raise VerificationError(f"the mended copy of {path} computes other values; no file was written")
    after = diagnose_content(mended, str(output), clients, before.runtime)
    return mended, Mended(str(output), tuple(applied), skipped, same, reason, after)


def mend(content: bytes, wanted: set[str], given: dict[str, bytes]) -> tuple[bytes, list[str], dict[str, str]]:
    """``content`` after the repairs ``wanted``: those made, and the reasons of those that could not be."""
    applied: list[str] = []
    skipped: dict[str, str] = {}
    facts = Facts(content)
    files = {**facts.files, **_renamed(facts, given)}
    for step in (step for step in _STEPS if step in wanted):
        if applied:
            facts = Facts(content)
        model = read_model(content)
        try:
            _apply(step, model, facts, files, metadata.LABELS in given)
        except (RepairError, ModelFileError) as error:
            skipped[step] = str(error)
            continue
        content = metadata.append_files(write_model(model), files)
        applied.append(step)
    return content, applied, skipped


def _apply(step: str, model: Any, facts: Facts, files: dict[str, bytes], labels_given: bool) -> None:
    if step in (ORDER, METADATA) and facts.kind not in repairs.OUTPUTS:
        raise RepairError(f"no client of texts takes a file for {facts.kind}")
    match step:
        case "versions":
            repairs.stamp(model)
        case "signature":
            repairs.add_signature(model, facts)
        case "order":
            repairs.order(model, facts)
        case "metadata":
            repairs.describe(model, facts, files, labels_given)


def _renamed(facts: Facts, given: dict[str, bytes]) -> dict[str, bytes]:
    """A vocabulary that is given takes the place of the one that the metadata name."""
    if metadata.VOCABULARY in given and facts.vocabulary_name:
        given = {facts.vocabulary_name if name == metadata.VOCABULARY else name: data for name, data in given.items()}
    return given


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def compare(before: bytes, after: bytes) -> tuple[bool | None, str]:
    """Whether both compute the same for random inputs, tensor by tensor, so that their order does not matter.

    None, with the reason, when ``before`` does not run.
    """
    try:
        inputs = random_inputs(Facts(before))
        expected = _run(before, inputs)
    except ModelFileError as error:
        return None, f"the original does not run here: {error}"
    actual = _run(after, inputs)
    return all(np.array_equal(value, actual[name], equal_nan=value.dtype.kind == "f")
               for name, value in expected.items()), ""


def _run(content: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The first subgraph, its tensors called by their index: a repair moves none of them."""
    with closing(IsolatedSession(probe(content))) as session:
        return session.run(PROBE, inputs)
