"""MediaPipe's TextClassifier, and TextEmbedder for vectors.

Contract: text_preprocessing_graph.cc, text_model_utils.cc, bert_preprocessor_calculator.cc and
classification_postprocessing_graph.cc of google-ai-edge/mediapipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mobilebert_lite.doctor import text_model
from mobilebert_lite.doctor.facts import CLASSIFICATION, EMBEDDING, FEATURES, Facts
from mobilebert_lite.doctor.findings import ERROR, METADATA, WARNING, Check, Problem

KINDS = (CLASSIFICATION, FEATURES, EMBEDDING)

_OUTPUT_TYPES = ("FLOAT32", "UINT8", "BOOL")


def _subgraphs(facts: Facts) -> Iterator[Problem]:
    if len(facts.subgraphs) != 1:
        yield Problem(ERROR, "file", f"it has {len(facts.subgraphs)} subgraphs; MediaPipe takes files with one",
                      "convert with a single --seq-len, and without --text-input")


def _output_type(facts: Facts) -> Iterator[Problem]:
    for port in facts.outputs:
        if port.tensor.kind not in _OUTPUT_TYPES:
            yield Problem(ERROR, f"output {port.name}", f"it is {port.tensor.kind.lower()}; MediaPipe takes "
                          "float32, uint8 or bool", "convert with `mbl convert`, whose outputs are float32")


def _output_metadata(facts: Facts) -> Iterator[Problem]:
    described = facts.subgraph_metadata
    if described is None:
        return
    if described.outputs and len(described.outputs) != len(facts.outputs):
        yield Problem(ERROR, "outputs", f"the metadata describe {len(described.outputs)} outputs, the subgraph has "
                      f"{len(facts.outputs)}", "describe each of them once", METADATA)
    for port in facts.outputs:
        if port.metadata and not port.metadata.name:
            yield Problem(ERROR, f"output {port.number}", "its metadata have no name; MediaPipe reads a null "
                          "pointer", "name it", METADATA)


def _dynamic(facts: Facts) -> Iterator[Problem]:
    if facts.inputs and all(port.tensor.is_dynamic for port in facts.inputs):
        yield Problem(WARNING, "inputs", "their length is dynamic; MediaPipe plans the graph anew for each text",
                      "convert with --seq-len")


def _vector(facts: Facts) -> Iterator[Problem]:
    if facts.kind != EMBEDDING:
        return
    if len(facts.outputs) != 1:
        yield Problem(WARNING, "outputs", f"there are {len(facts.outputs)} outputs; TextEmbedder gives each of them as "
                      "an embedding of its own", "convert with --task embedding")
    for port in facts.outputs:
        shape = list(port.tensor.shape)
        if len(shape) != 2 or shape[0] != 1:
            yield Problem(ERROR, f"output {port.name}", f"its shape is {shape}; TextEmbedder gives all of it as one "
                          "vector, whatever it is of", "convert with --task embedding, whose output is [1, D]")


def _of_classes(find: Callable[[Facts], Iterable[Problem]]) -> Callable[[Facts], Iterable[Problem]]:
    """The check for classifiers alone; vectors come as they are."""
    return lambda facts: find(facts) if facts.kind == CLASSIFICATION else ()


CHECKS = (
    Check("one-subgraph", "a single subgraph", _subgraphs),
    Check("builtin-operators", "built-in operators only", text_model.builtin_operators),
    Check("input-count", "three inputs", text_model.input_count),
    Check("input-type", "int32 inputs", text_model.input_types),
    Check("input-shape", "inputs [1, S], of one length", text_model.input_shapes),
    Check("dynamic-shapes", "a fixed length", _dynamic),
    Check("metadata", "TFLite Metadata of the first subgraph", text_model.metadata),
    Check("input-names", "metadata names ids, mask, segment_ids", text_model.input_names),
    Check("tokenizer", "BertTokenizerOptions as the first input process unit", text_model.tokenizer),
    Check("vocabulary", "the vocabulary carried, with [CLS], [SEP], [UNK] and no more words than the table has rows",
          text_model.vocabulary),
    Check("same-tokens", text_model.SAME_TOKENS, text_model.same_tokens),
    Check("stored-files", "carried files are not compressed", text_model.stored),
    Check("outputs", "classes: one output [1, N]", _of_classes(text_model.class_output)),
    Check("vector", "embeddings: one output [1, D]", _vector),
    Check("output-type", "float32, uint8 or bool", _output_type),
    Check("output-metadata", "as many described outputs as there are, all with a name", _output_metadata),
    Check("softmax", "classes: probabilities, not logits", _of_classes(text_model.softmax)),
    Check("labels", "classes: a label for each, in the first file, TENSOR_AXIS_LABELS", _of_classes(text_model.labels)),
)
