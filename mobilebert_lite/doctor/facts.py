"""What checks need to know about a file, read once."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mobilebert_lite.architecture.form import REGRESSION, Form
from mobilebert_lite.errors import DataError, ModelFileError
from mobilebert_lite.tasks import TASKS
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import schema
from mobilebert_lite.tflite.graph import Graphs, Operator, Subgraph, Tensor
from mobilebert_lite.tflite.metadata import (
    BERT_TOKENIZER,
    ModelMetadata,
    ProcessUnit,
    SubgraphMetadata,
    TensorMetadata,
    read_metadata,
)
from mobilebert_lite.tflite.op_versions import first_runtime, latest
from mobilebert_lite.tflite.roles import PROBABILITY, QA_OUTPUTS, VECTOR, VECTORS, role_of

# What a file can be for. Other tasks of ours go by their own names.
QA, CLASSIFICATION, FEATURES, EMBEDDING, UNKNOWN = "qa", "classification", "features", "embedding", "unknown"


@dataclass(frozen=True, eq=False)
class Port:
    """An input or output of the first subgraph, which is the one that clients read."""

    number: int
    tensor: Tensor
    # Its name in the signature and its description in the metadata, where there are any.
    signature_name: str
    metadata: TensorMetadata | None
    # Which of the names above the file itself calls it by, in whatever spelling; None where nothing says.
    role: str | None

    @property
    def name(self) -> str:
        """For messages."""
        return self.signature_name or (self.metadata.name if self.metadata else "") or self.tensor.name


class Facts:
    """A file, as the checks see it. Raises ModelFileError when it cannot be read."""

    def __init__(self, content: bytes, runtime: str | None = None) -> None:
        """``runtime``: the TFLite version that it must run in, where one is asked for."""
        self.content, self.runtime = content, runtime
        self.graphs = Graphs.read(content)
        if not self.graphs.subgraphs:
            raise ModelFileError("the file has no graph in it")
        self.provenance: dict[str, Any] = metadata.read_provenance(content)
        self.files = metadata.read_files(content)
        self.metadata: ModelMetadata | None = None
        self.metadata_error = ""
        try:
            self.metadata = read_metadata(content)
        except ModelFileError as error:
            self.metadata_error = str(error)

    @property
    def subgraphs(self) -> tuple[Subgraph, ...]:
        """All graphs of the file."""
        return self.graphs.subgraphs

    @property
    def first(self) -> Subgraph:
        """The subgraph that clients without signatures run."""
        return self.subgraphs[0]

    @cached_property
    def operators(self) -> tuple[tuple[Subgraph, Operator], ...]:
        """Those of all subgraphs."""
        return tuple((subgraph, operator) for subgraph in self.subgraphs for operator in subgraph.operators)

    @cached_property
    def compressed(self) -> tuple[str, ...]:
        """Carried files that are not stored as they are."""
        if not self.files:
            return ()
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            return tuple(info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED)

    @cached_property
    def outside_buffers(self) -> int:
        """Buffers that stand behind the flatbuffer, the form for files beyond 2 GB."""
        model = schema().Model.GetRootAs(self.content)
        return sum(model.Buffers(index).Offset() > 1 for index in range(model.BuffersLength()))

    @cached_property
    def stamped_runtime(self) -> str | None:
        """What the entry ``min_runtime_version`` says; None without one."""
        raw = metadata.read_entry(self.content, "min_runtime_version")
        return None if raw is None else raw.rstrip(b"\0").decode("ascii", "replace")

    @cached_property
    def accepting_runtime(self) -> str:
        """The oldest runtime that has every stamped operator version: it would load the file."""
        return latest(first_runtime(operator.name, operator.version) for _, operator in self.operators)

    @cached_property
    def needed_runtime(self) -> str:
        """The oldest runtime that computes the file rightly."""
        return latest(since for _, operator in self.operators
                       for since in (first_runtime(operator.name, operator.needed), operator.right_since))

    # What the first subgraph is for.

    @cached_property
    def inputs(self) -> tuple[Port, ...]:
        """In the order of the file."""
        return self._ports(self.first.inputs, "inputs")

    @cached_property
    def outputs(self) -> tuple[Port, ...]:
        """In the order of the file."""
        return self._ports(self.first.outputs, "outputs")

    @property
    def subgraph_metadata(self) -> SubgraphMetadata | None:
        """The description of the first subgraph, the only one that clients read."""
        return self.metadata.subgraphs[0] if self.metadata and self.metadata.subgraphs else None

    @property
    def tokenizer(self) -> ProcessUnit | None:
        """The first input process unit, which is the one that clients take for the tokenizer."""
        described = self.subgraph_metadata
        return described.input_process_units[0] if described and described.input_process_units else None

    @property
    def vocabulary_name(self) -> str | None:
        """The file that BERT's tokenizer is described by."""
        unit = self.tokenizer
        return unit.files[0].name if unit and unit.kind == BERT_TOKENIZER and unit.files else None

    @cached_property
    def kind(self) -> str:
        """What the file is for: by its provenance, else by names, else by shapes."""
        task = self.provenance.get("task")
        if task:
            known = TASKS.get(str(task))
            if known is None:
                return str(task)
            numbers = "problem" in known.form_options and Form.read(self.provenance.get("form", {})).problem_type
            return REGRESSION if numbers == REGRESSION else known.client_kind or known.name
        roles = {port.role for port in self.outputs}
        if roles & set(QA_OUTPUTS):
            return QA
        if PROBABILITY in roles:
            return CLASSIFICATION
        if roles & set(VECTORS):
            return FEATURES
        if VECTOR in roles:
            return EMBEDDING
        shapes = [port.tensor.shape for port in self.outputs]
        if len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 2 and shapes[0] in {
                port.tensor.shape for port in self.inputs}:
            return QA
        return CLASSIFICATION if len(shapes) == 1 and len(shapes[0]) == 2 else UNKNOWN

    @cached_property
    def tokenizer_settings(self) -> TokenizerSettings | None:
        """What a file of ours says of its tokenizer; None for files of others. Raises ModelFileError."""
        if "task" not in self.provenance:
            return None
        try:
            return TokenizerSettings.from_provenance(self.provenance)
        except DataError as error:
            raise ModelFileError(str(error)) from None

    def by_role(self, ports: tuple[Port, ...]) -> dict[str, Port]:
        """The ports whose meaning is known."""
        return {port.role: port for port in ports if port.role}

    def _ports(self, tensors: tuple[Tensor, ...], side: str) -> tuple[Port, ...]:
        described, called = getattr(self.subgraph_metadata, side, ()), self._signature_names(side)
        found = []
        for number, tensor in enumerate(tensors):
            name, about = called.get(tensor.index, ""), described[number:number + 1]
            names = (name, tensor.name, about[0].name if about else "")
            role = next((role for role in (role_of(one, side) for one in names) if role), None)
            found.append(Port(number, tensor, name, about[0] if about else None, role))
        return tuple(found)

    def _signature_names(self, side: str) -> dict[int, str]:
        for entry in self.graphs.entries:
            if entry.subgraph is self.first:
                named = entry.inputs if side == "inputs" else entry.outputs
                return {tensor.index: name for name, tensor in named.items()}
        return {}
