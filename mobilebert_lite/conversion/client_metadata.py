"""What our files tell the libraries that load them: TFLite Metadata for every task.

The names of tensors are a contract: Task Library and MediaPipe find ``ids``, ``mask``, ``segment_ids``,
``start_logits``, ``end_logits`` and ``probability`` by them (bert_preprocessor.cc, bert_question_answerer.cc and
bert_nl_classifier.cc of tensorflow/tflite-support; bert_preprocessor_calculator of MediaPipe). The rest is what
Android Studio shows to whoever opens the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.tasks import Task, find_task
from mobilebert_lite.tasks.wording import TOKENS
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings
from mobilebert_lite.tflite.container import LABELS, VOCABULARY
from mobilebert_lite.tflite.metadata import (
    AXIS_LABELS,
    BERT_TOKENIZER,
    AssociatedFile,
    ModelMetadata,
    ProcessUnit,
    SubgraphMetadata,
    TensorMetadata,
)
from mobilebert_lite.tflite.metadata import VOCABULARY as VOCABULARY_TYPE

# Beside the network's outputs, from signatures that take texts.
_OFFSETS = "offsets"
_CLASSES = ("probability", "logits")


def describe_model(model: Any, provenance: Mapping[str, Any], carried: Mapping[str, bytes]) -> ModelMetadata:
    """The metadata of ``model``, a ``ModelT`` of ours, whose zip will hold the files ``carried``.

    Subgraph by subgraph, and inputs and outputs in their order in the file: readers go by position.
    """
    task = find_task(str(provenance["task"]), Form.read(provenance["form"]))
    describer = _Describer(task, carried)
    signatures: dict[int, Any] = {}
    for definition in model.signatureDefs:
        signatures.setdefault(int(definition.subgraphIndex), definition)
    return ModelMetadata(
        f"MobileBERT {task.name}",
        f"MobileBERT, converted from {provenance['source']['name']} ({provenance['recipe']['name']}): "
        f"{task.purpose}. {_note(provenance)}",
        str(provenance["source"]["sha256"])[:12], str(provenance["toolkit"]), "",
        tuple(describer.subgraph(model.subgraphs[index], signatures[index]) for index in sorted(signatures)))


def _note(provenance: Mapping[str, Any]) -> str:
    """What a user of the tokenizer must know."""
    case = TokenizerSettings.from_provenance(provenance).described()
    lengths = ", ".join(str(length) for length in provenance["lengths"])
    return f"WordPiece vocabulary ({case}) in {VOCABULARY}; sequences of {lengths} tokens."


class _Describer:
    """Descriptions of one file's subgraphs."""

    def __init__(self, task: Task, carried: Mapping[str, bytes]) -> None:
        self._task, self._carried = task, carried

    def subgraph(self, graph: Any, definition: Any) -> SubgraphMetadata:
        """*Shape:* inputs and outputs as ``graph`` has them, named as ``definition`` names them."""
        names = {int(entry.tensorIndex): entry.name.decode() for entry in (*definition.inputs, *definition.outputs)}
        tokenizer = ProcessUnit(BERT_TOKENIZER, (AssociatedFile(
            VOCABULARY, "The WordPiece vocabulary, one word a line in the order of the ids.", VOCABULARY_TYPE),))
        key = definition.signatureKey.decode()
        return SubgraphMetadata(
            key, f"Signature {key}: {self._task.purpose}.",
            tuple(self._input(names[int(index)], graph.tensors[index]) for index in graph.inputs),
            tuple(self._output(names[int(index)], graph.tensors[index]) for index in graph.outputs),
            # Where the graph takes texts, it holds the tokenizer itself.
            input_process_units=(tokenizer,) if "ids" in names.values() else ())

    def _input(self, name: str, tensor: Any) -> TensorMetadata:
        words = self._carried[VOCABULARY].count(b"\n")
        greatest = {"ids": words - 1.0, "mask": 1.0, "segment_ids": 1.0}.get(name)
        minimum, maximum = ((), ()) if greatest is None else ((0.0,), (greatest,))
        said = {**self._task.inputs, **self._task.texts}[name]
        return TensorMetadata(name, said, self._dimensions(name, tensor), minimum=minimum, maximum=maximum)

    def _output(self, name: str, tensor: Any) -> TensorMetadata:
        minimum, maximum = ((0.0,), (1.0,)) if name == "probability" else ((), ())
        labels = AssociatedFile(LABELS, "Names of the classes, one a line in the order of the output.", AXIS_LABELS)
        said = self._task.describe(name) if name != _OFFSETS else (
            "First byte and end (exclusive) of each token in the last text; -1 for tokens of no text or another.")
        return TensorMetadata(name, said, self._dimensions(name, tensor), minimum=minimum, maximum=maximum,
                              files=(labels,) if LABELS in self._carried and name in _CLASSES else ())

    def _dimensions(self, name: str, tensor: Any) -> tuple[str, ...]:
        if name == _OFFSETS:
            known: tuple[str, ...] = ("batch", "token", "bound")
        elif name == "positions":
            known = ("batch", "position")
        elif name in self._task.texts:
            known = ("batch",)
        elif name in self._task.inputs:
            known = ("batch", "choice", "token") if self._task.form.choices else TOKENS
        else:
            known = self._task.axes(name)
        return known if len(known) == len(tensor.shape) else ()
