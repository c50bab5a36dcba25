"""What our files tell the libraries that load them: TFLite Metadata for every task.

The names of tensors are a contract: Task Library and MediaPipe find ``ids``, ``mask``, ``segment_ids``,
``start_logits``, ``end_logits`` and ``probability`` by them (bert_preprocessor.cc, bert_question_answerer.cc and
bert_nl_classifier.cc of tensorflow/tflite-support; bert_preprocessor_calculator of MediaPipe). The rest is what
Android Studio shows to whoever opens the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, Form
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

_PURPOSES = {
    "qa": "the span of a context that answers a question",
    "classification": "the class of a text or of a pair of texts",
    "token-classification": "a label for every token of a text",
    "multiple-choice": "which of several continuations of a text is right",
    "next-sentence": "whether one text follows another",
    "fill-mask": "the words that were masked in a text",
    "pretraining": "masked words, and whether one text follows another",
    "features": "vectors of a text and its tokens",
}
_INPUTS = {
    "ids": "Ids of the tokens: [CLS], the first text, [SEP], and, where there is a second one, that text and [SEP]; "
           "[PAD] after that.",
    "mask": "1 for each token, 0 for padding.",
    "segment_ids": "0 for the first text with its [CLS] and [SEP], 1 for the second one with its [SEP]; 0 for padding.",
    "positions": "Positions of the masked tokens; 0 in places left over.",
    "question": "A question, UTF-8.", "context": "The text to find the answer in, UTF-8.",
    "text": "A text, UTF-8.", "pair": "A second text, UTF-8; empty where there is none.",
}
_OUTPUTS = {
    "end_logits": "Score of each token as the last one of the answer; [CLS] stands for no answer. Logits: their sum "
                  "with start_logits ranks spans.",
    "start_logits": "Score of each token as the first one of the answer; [CLS] stands for no answer. Logits: their "
                    "sum with end_logits ranks spans.",
    "prediction_logits": "Score of each word of the vocabulary at each token. Logits: a softmax over words makes them "
                         "probabilities.",
    "seq_relationship_logits": "Scores of: is next, is not next. Logits: a softmax makes them probabilities.",
    "sequence_output": "Last hidden state of each token.",
    "pooled_output": "Vector of the whole text.",
    "offsets": "First byte and end (exclusive) of each token in the last text; -1 for tokens of no text or another.",
}
_CLASSES = ("probability", "logits")
_TOKENS = ("batch", "token")
_DIMENSIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ids", "mask", "segment_ids", "end_logits", "start_logits"), _TOKENS),
    "positions": ("batch", "position"), **dict.fromkeys(("question", "context", "text", "pair"), ("batch",)),
    "prediction_logits": ("batch", "token", "word"), "seq_relationship_logits": ("batch", "class"),
    "sequence_output": ("batch", "token", "hidden"), "pooled_output": ("batch", "hidden"),
    "offsets": ("batch", "token", "bound"),
}


def describe_model(model: Any, provenance: Mapping[str, Any], carried: Mapping[str, bytes]) -> ModelMetadata:
    """The metadata of ``model``, a ``ModelT`` of ours, whose zip will hold the files ``carried``.

    Subgraph by subgraph, and inputs and outputs in their order in the file: readers go by position.
    """
    task, form = str(provenance["task"]), Form.read(provenance["form"])
    describer = _Describer(task, form, carried)
    signatures: dict[int, Any] = {}
    for definition in model.signatureDefs:
        signatures.setdefault(int(definition.subgraphIndex), definition)
    return ModelMetadata(
        f"MobileBERT {task}",
        f"MobileBERT, converted from {provenance['source']['name']} ({provenance['recipe']['name']}): "
        f"{_PURPOSES[task]}. {_note(provenance)}",
        str(provenance["source"]["sha256"])[:12], str(provenance["toolkit"]), "",
        tuple(describer.subgraph(model.subgraphs[index], signatures[index]) for index in sorted(signatures)))


def _note(provenance: Mapping[str, Any]) -> str:
    """What a user of the tokenizer must know."""
    case = TokenizerSettings.from_provenance(provenance).described()
    lengths = ", ".join(str(length) for length in provenance["lengths"])
    return f"WordPiece vocabulary ({case}) in {VOCABULARY}; sequences of {lengths} tokens."


class _Describer:
    """Descriptions of one file's subgraphs."""

    def __init__(self, task: str, form: Form, carried: Mapping[str, bytes]) -> None:
        self._task, self._form, self._carried = task, form, carried

    def subgraph(self, graph: Any, definition: Any) -> SubgraphMetadata:
        """*Shape:* inputs and outputs as ``graph`` has them, named as ``definition`` names them."""
        names = {int(entry.tensorIndex): entry.name.decode() for entry in (*definition.inputs, *definition.outputs)}
        tokenizer = ProcessUnit(BERT_TOKENIZER, (AssociatedFile(
            VOCABULARY, "The WordPiece vocabulary, one word a line in the order of the ids.", VOCABULARY_TYPE),))
        key = definition.signatureKey.decode()
        return SubgraphMetadata(
            key, f"Signature {key}: {_PURPOSES[self._task]}.",
            tuple(self._input(names[int(index)], graph.tensors[index]) for index in graph.inputs),
            tuple(self._output(names[int(index)], graph.tensors[index]) for index in graph.outputs),
            # Where the graph takes texts, it holds the tokenizer itself.
            input_process_units=(tokenizer,) if "ids" in names.values() else ())

    def _input(self, name: str, tensor: Any) -> TensorMetadata:
        words = self._carried[VOCABULARY].count(b"\n")
        greatest = {"ids": words - 1.0, "mask": 1.0, "segment_ids": 1.0}.get(name)
        minimum, maximum = ((), ()) if greatest is None else ((0.0,), (greatest,))
        return TensorMetadata(name, _INPUTS[name], self._dimensions(name, tensor), minimum=minimum, maximum=maximum)

    def _output(self, name: str, tensor: Any) -> TensorMetadata:
        minimum, maximum = ((0.0,), (1.0,)) if name == "probability" else ((), ())
        labels = AssociatedFile(LABELS, "Names of the classes, one a line in the order of the output.", AXIS_LABELS)
        return TensorMetadata(name, _OUTPUTS.get(name) or self._scores(name), self._dimensions(name, tensor),
                              minimum=minimum, maximum=maximum,
                              files=(labels,) if LABELS in self._carried and name in _CLASSES else ())

    def _scores(self, name: str) -> str:
        """What the values of ``probability`` or ``logits`` mean."""
        if self._task == "fill-mask":
            return _OUTPUTS["prediction_logits"]
        if self._form.problem_type == REGRESSION and self._task == "classification":
            return "The predicted numbers, as they are."
        if self._form.problem_type == MULTI_LABEL and self._task == "classification":
            return ("Probability of each class by itself (sigmoid); 0.5 or more is a yes." if name == "probability" else
                    "Score of each class by itself. Logits: a sigmoid makes them probabilities, 0 or more is a yes.")
        of = {"token-classification": "each label at each token", "multiple-choice": "each choice"}.get(
            self._task, "each class")
        return (f"Probability of {of} (softmax): together 1." if name == "probability" else
                f"Score of {of}. Logits: a softmax makes them probabilities.")

    def _dimensions(self, name: str, tensor: Any) -> tuple[str, ...]:
        known = _DIMENSIONS.get(name)
        if known is None:
            known = {"token-classification": ("batch", "token", "label"), "multiple-choice": ("batch", "choice"),
                     "fill-mask": ("batch", "position" if self._form.positions else "token", "word")}.get(
                self._task, ("batch", "class"))
        elif known == _TOKENS and self._form.choices:
            known = ("batch", "choice", "token")
        return known if len(known) == len(tensor.shape) else ()
