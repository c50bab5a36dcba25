"""Task Library 0.4.4: BertQuestionAnswerer and BertNLClassifier.

Contract: bert_question_answerer.cc, bert_nl_classifier.cc, bert_preprocessor.cc, nl_classifier.cc, tokenizer_utils.cc
and metadata_extractor.cc of tensorflow/tflite-support.
"""

from __future__ import annotations

from collections.abc import Iterator

from mobilebert_lite.architecture.form import INPUTS
from mobilebert_lite.doctor import text_model
from mobilebert_lite.doctor.facts import CLASSIFICATION, QA, Facts
from mobilebert_lite.doctor.findings import ERROR, ORDER, WARNING, Check, Problem, some
from mobilebert_lite.doctor.runtimes import too_new
from mobilebert_lite.tflite.op_versions import as_tuple
from mobilebert_lite.tflite.roles import QA_OUTPUTS

KINDS = (QA, CLASSIFICATION)

# kMaxSeqLen of BertQuestionAnswerer, which it writes without looking at the input.
QA_LENGTH = 384
# The TFLite that its last release is built with, found by the operator versions it accepts: SLICE 6 and CONCATENATION 4
# of 2.14.0 load, TRANSPOSE 7 of 2.14.4 does not.
RUNTIME = "2.14.0"


def _runtime(facts: Facts) -> Iterator[Problem]:
    if as_tuple(facts.accepting_runtime) > as_tuple(RUNTIME):
        yield Problem(ERROR, "operators", f"{some(too_new(facts, RUNTIME))}; Task Library 0.4.4 holds TFLite {RUNTIME} "
                      "and refuses the file", "convert with --runtime 2.14")


def _length(facts: Facts) -> Iterator[Problem]:
    for port in facts.inputs if facts.kind == QA else ():
        shape = port.tensor.shape
        if len(shape) == 2 and shape[1] != QA_LENGTH:
            yield Problem(ERROR, f"input {port.name}", f"its length is {shape[1]}; BertQuestionAnswerer always writes "
                          f"{QA_LENGTH} tokens", f"convert with --seq-len {QA_LENGTH}")


def _outputs(facts: Facts) -> Iterator[Problem]:
    if facts.kind == CLASSIFICATION:
        yield from text_model.class_output(facts)
        return
    if len(facts.outputs) != 2:
        yield Problem(ERROR, "outputs", f"there are {len(facts.outputs)} outputs; BertQuestionAnswerer reads "
                      "end_logits and start_logits", "convert with --task qa")
    for port in facts.outputs:
        if port.tensor.kind != "FLOAT32":
            yield Problem(ERROR, f"output {port.name}", f"it is {port.tensor.kind.lower()}; BertQuestionAnswerer reads "
                          "float32", "convert with `mbl convert`, whose outputs are float32 in every mode")
        elif facts.inputs and port.tensor.shape != facts.inputs[0].tensor.shape:
            yield Problem(ERROR, f"output {port.name}", f"its shape is {list(port.tensor.shape)}, that of the inputs "
                          f"{list(facts.inputs[0].tensor.shape)}", "convert with --task qa")


def _output_names(facts: Facts) -> Iterator[Problem]:
    if facts.kind == CLASSIFICATION:
        yield from text_model.class_names(facts)
    else:
        yield from text_model.names(facts, facts.outputs, QA_OUTPUTS, "outputs", "it reads a null pointer")


def _order(facts: Facts) -> Iterator[Problem]:
    """Without metadata, tensors are taken by position."""
    if facts.kind != QA:
        return
    # With good names the order matters to the old calls alone.
    severity = WARNING if facts.subgraph_metadata is not None else ERROR
    yield from positions(facts, severity, "the metadata-less client (CreateBertQuestionAnswererFromFile)")


def positions(facts: Facts, severity: str, who: str) -> Iterator[Problem]:
    """Inputs ids, mask, segment_ids and outputs end, start, for clients that read by position."""
    for side, ports, wanted in (("input", facts.inputs, INPUTS), ("output", facts.outputs, QA_OUTPUTS)):
        roles = [port.role for port in ports]
        if len(roles) != len(wanted) or roles == list(wanted):
            continue
        if set(roles) == set(wanted):
            short = ",".join(str(role).removesuffix("_logits") for role in roles)
            yield Problem(severity, f"{side}s", f"{side} order is {short}: {who} reads them "
                          + ("swapped" if len(wanted) == 2 else "as ids,mask,segment_ids"),
                          f"order them {', '.join(wanted)}", ORDER)
        else:
            names = some((port.name for port in ports), 6)
            yield Problem(WARNING, f"{side}s", f"their names ({names}) do not say which is which; {who} reads them as "
                          f"{', '.join(wanted)}", "give the signature these names")


def _softmax(facts: Facts) -> Iterator[Problem]:
    return text_model.softmax(facts) if facts.kind == CLASSIFICATION else iter(())


def _labels(facts: Facts) -> Iterator[Problem]:
    return text_model.labels(facts) if facts.kind == CLASSIFICATION else iter(())


CHECKS = (
    Check("runtime", f"every operator version is in TFLite {RUNTIME}, which its last release holds", _runtime),
    Check("builtin-operators", "built-in operators only", text_model.builtin_operators),
    Check("input-count", "three inputs", text_model.input_count),
    Check("input-type", "int32 inputs", text_model.input_types),
    Check("input-shape", "inputs [1, S], of one length", text_model.input_shapes),
    Check("length", f"questions: exactly {QA_LENGTH} tokens", _length),
    Check("metadata", "TFLite Metadata of the first subgraph", text_model.metadata),
    Check("input-names", "metadata names ids, mask, segment_ids", text_model.input_names),
    Check("tokenizer", "BertTokenizerOptions as the first input process unit", text_model.tokenizer),
    Check("vocabulary", "the vocabulary carried, with [CLS], [SEP], [UNK] and no more words than the table has rows",
          text_model.vocabulary),
    Check("same-tokens", text_model.SAME_TOKENS, text_model.same_tokens),
    Check("stored-files", "carried files are not compressed", text_model.stored),
    Check("outputs", "questions: two float32 [1, 384]; classes: one [1, N]", _outputs),
    Check("output-names", "metadata names end_logits, start_logits; probability", _output_names),
    Check("order", "questions, calls without metadata: ids, mask, segment_ids; end, start", _order),
    Check("softmax", "classes: probabilities, not logits", _softmax),
    Check("labels", "classes: a label for each, in the first file, TENSOR_AXIS_LABELS", _labels),
)
