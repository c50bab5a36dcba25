"""Wrong files, and what must be said of each."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import wrong_files as wrong

from mobilebert_lite.doctor.findings import ERROR, NOTE, WARNING
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import schema
from mobilebert_lite.tflite.metadata import ENTRY, AssociatedFile


def hostile_to_gpus(folder: Path) -> bytes:
    """What stock BERTs contain, and a GPU does not take or computes wrongly."""
    table = tf.constant(np.eye(8, 16, dtype=np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.int32, name="ids")])
    def graph(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather(table, ids)  # 2-D indices
        rows += tf.reshape(tf.gather_nd(table, tf.reshape(ids, [-1, 1])), [1, 4, 16])
        head = rows[:, 1, :]  # shrink_axis
        # Without a batch axis.
        flat = tf.matmul(tf.gather(table, tf.reshape(ids, [-1])), tf.constant(np.ones((16, 16), np.float32)))
        long = tf.cast(tf.cast(ids, tf.int64) * tf.cast(ids, tf.int64), tf.float32)
        return {"y": tf.reshape(flat, [1, 64]) + tf.reduce_sum(head) + tf.reduce_sum(long)}

    module = tf.Module()
    module.graph = graph
    return tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()], module).convert()


@dataclass(frozen=True)
class Wrong:
    """A wrong file and what must be said of it."""

    base: str
    edit: wrong.Edit
    client: str
    check: str
    says: str
    severity: str = ERROR
    # Whether --fix claims to mend it.
    fixed: bool = False
    # What is given to --fix besides.
    given: tuple[str, ...] = ()
    runtime: str | None = None


def three(labels: dict[str, bytes]) -> dict[str, bytes]:
    return {**labels, metadata.LABELS: b"one\ntwo\nthree\n"}


def label_type(found: Any) -> Any:
    output = found.subgraphs[0].outputs[0]
    return wrong.first(found, outputs=(replace(output, files=(AssociatedFile(metadata.LABELS),)),))


def strangers(*words: bytes) -> wrong.Edit:
    """A file that does not say where it comes from, with ``words`` for the last ones of its vocabulary."""
    def end(files: dict[str, bytes]) -> dict[str, bytes]:
        kept = files[metadata.VOCABULARY].split()[:-len(words)]
        return {**files, metadata.VOCABULARY: b"\n".join([*kept, *words]) + b"\n"}
    return lambda content: wrong.without_entry(metadata.ENTRY)(wrong.on_files(end)(content))


def embedding(edit: wrong.Edit) -> wrong.Edit:
    """``edit`` of a file that says that it is for embeddings."""
    return lambda content: edit(wrong.provenance(task="embedding")(content))


TYPES = schema().TensorType
AS_IT_IS: wrong.Edit = bytes
WRONG = {
    # Positions.
    "outputs start, end": Wrong("qa", wrong.reorder("outputs", (1, 0)), "mlperf", "order",
                                r"output order is start,end: the MLPerf app reads them swapped", fixed=True),
    "outputs start, end, with metadata": Wrong(
        "qa", wrong.reorder("outputs", (1, 0)), "task-library", "order",
        r"output order is start,end: the metadata-less client .* swapped", WARNING, fixed=True),
    "mask last": Wrong("qa", wrong.reorder("inputs", (0, 2, 1)), "mlperf", "order",
                       "input order is ids,segment_ids,mask", fixed=True),
    # Metadata.
    "no metadata": Wrong("qa", wrong.without_entry(ENTRY), "task-library", "metadata", "no TFLite Metadata",
                         fixed=True),
    "no metadata for MediaPipe": Wrong("classification", wrong.without_entry(ENTRY), "mediapipe", "metadata",
                                       "no TFLite Metadata", fixed=True),
    "metadata of another schema": Wrong("qa", wrong.damaged_metadata, "task-library", "metadata", "another schema",
                                        fixed=True),
    "no subgraph described": Wrong("qa", wrong.on_metadata(lambda found: replace(found, subgraphs=())), "task-library",
                                   "metadata", "describe no subgraph", fixed=True),
    "misnamed mask": Wrong("qa", wrong.rename("inputs", "mask", "input_mask"), "task-library", "input-names",
                           r"no metadata name is 'mask' .*null pointer", fixed=True),
    "misnamed mask for MediaPipe": Wrong("classification", wrong.rename("inputs", "mask", "input_mask"), "mediapipe",
                                         "input-names", r"no metadata name is 'mask'", fixed=True),
    "two inputs described": Wrong("qa", wrong.on_metadata(lambda found: wrong.first(
        found, inputs=found.subgraphs[0].inputs[:2])), "task-library", "input-names", "describe 2 inputs", fixed=True),
    "logits called each other": Wrong("qa", wrong.on_metadata(lambda found: wrong.first(
        found, outputs=found.subgraphs[0].outputs[::-1])), "task-library", "output-names",
        r"call it 'start_logits', but .* says end_logits", fixed=True),
    "output called scores": Wrong("classification", wrong.rename("outputs", "probability", "scores"), "task-library",
                                  "output-names", r"no metadata name is 'probability'", fixed=True),
    "output without a name": Wrong("classification", wrong.rename("outputs", "probability", ""), "mediapipe",
                                   "output-metadata", "null pointer", fixed=True),
    "no tokenizer": Wrong("qa", wrong.on_metadata(lambda found: wrong.first(found, input_process_units=())),
                          "task-library", "tokenizer", "BertTokenizerOptions is missing", fixed=True),
    "no tokenizer for MediaPipe": Wrong("classification", wrong.on_metadata(lambda found: wrong.first(
        found, input_process_units=())), "mediapipe", "tokenizer", "BertTokenizerOptions is missing", fixed=True),
    # Carried files.
    "vocabulary missing": Wrong("qa", wrong.on_files(lambda found: {}), "task-library", "vocabulary", "does not carry",
                                fixed=True, given=(metadata.VOCABULARY,)),
    "a word too many": Wrong("qa", wrong.on_files(lambda found: {metadata.VOCABULARY: found[metadata.VOCABULARY]
                                                                 + b"zebra\n"}),
                             "task-library", "vocabulary", r"has 271 words, the word table 270 rows", fixed=True,
                             given=(metadata.VOCABULARY,)),
    "no [CLS]": Wrong("classification", wrong.on_files(lambda found: {
        **found, metadata.VOCABULARY: found[metadata.VOCABULARY].replace(b"[CLS]", b"[cls]")}),
        "mediapipe", "vocabulary", r"lacks \[CLS\]", fixed=True, given=(metadata.VOCABULARY,)),
    # Tokenizers that the clients do not have.
    "a cased vocabulary": Wrong("qa", wrong.tokenizer(lower_case=False, strip_accents=False), "task-library",
                                "same-tokens", "they lower-case, and this vocabulary is cased"),
    "a cased vocabulary for MediaPipe": Wrong(
        "classification", wrong.tokenizer(lower_case=False, strip_accents=False), "mediapipe", "same-tokens",
        "they lower-case, and this vocabulary is cased"),
    "accents kept": Wrong("qa", wrong.tokenizer(strip_accents=False), "task-library", "same-tokens",
                          "capital letters with accents"),
    "added tokens": Wrong("classification", wrong.tokenizer(added_tokens=[{"content": "<city>"}]), "mediapipe",
                          "same-tokens", r"added tokens into pieces \(<city>\)"),
    "renamed special tokens": Wrong("qa", wrong.tokenizer(cls_token="<s>"), "task-library", "same-tokens",
                                    r"they know no <s>"),
    "settings of the future": Wrong("qa", wrong.tokenizer(stemmed=True), "task-library", "same-tokens",
                                    "unknown setting 'stemmed'"),
    "a stranger's cased vocabulary": Wrong("qa", strangers(b"The", b"Hague", b"##A", b"US"), "task-library",
                                           "same-tokens", r"4 of 2\d\d words .* \(The, Hague, ##A, US\); the client "
                                           "lower-cases every text, and this vocabulary is cased"),
    "a stranger's two words": Wrong("qa", strangers(b"The", b"Hague"), "task-library", "same-tokens",
                                    "lower-cases every text and never finds them", WARNING),
    "compressed files": Wrong("qa", wrong.on_files(lambda found: found, zipfile.ZIP_DEFLATED), "task-library",
                              "stored-files", "compressed", fixed=True),
    "compressed files for MediaPipe": Wrong("classification", wrong.on_files(lambda found: found, zipfile.ZIP_DEFLATED),
                                            "mediapipe", "stored-files", "compressed", fixed=True),
    "three labels": Wrong("classification", wrong.on_files(three), "task-library", "labels", "3 labels for 4 outputs",
                          fixed=True, given=(metadata.LABELS,)),
    "three labels for MediaPipe": Wrong("classification", wrong.on_files(three), "mediapipe", "labels",
                                        "3 labels for 4 outputs", fixed=True, given=(metadata.LABELS,)),
    "labels of no type": Wrong("classification", wrong.on_metadata(label_type), "task-library", "labels",
                               "of type UNKNOWN", WARNING, fixed=True),
    # Shapes, types and counts.
    "128 tokens": Wrong("qa", wrong.set_tensor("inputs", (0, 1, 2), shape=[1, 128]), "task-library", "length",
                        "always writes 384 tokens"),
    "128 tokens for MLPerf": Wrong("qa", wrong.set_tensor("inputs", (0,), shape=[1, 128]), "mlperf", "shapes",
                                   r"its shape is \[1, 128\]"),
    "a batch of two": Wrong("qa", wrong.set_tensor("inputs", (0, 1, 2), shape=[2, 384]), "task-library", "input-shape",
                            "its batch is 2"),
    "a batch of two for MediaPipe": Wrong("classification", wrong.set_tensor("inputs", (0, 1, 2), shape=[2, 32]),
                                          "mediapipe", "input-shape", "its batch is 2"),
    "int64 inputs": Wrong("qa", wrong.set_tensor("inputs", (0, 1, 2), type=TYPES.INT64), "task-library", "input-type",
                          "it is int64"),
    "int64 inputs for MediaPipe": Wrong("classification", wrong.set_tensor("inputs", (0, 1, 2), type=TYPES.INT64),
                                        "mediapipe", "input-type", "it is int64"),
    "int64 inputs for MLPerf": Wrong("qa", wrong.set_tensor("inputs", (0, 1, 2), type=TYPES.INT64), "mlperf", "types",
                                     "they are int64"),
    "int64 inputs for LiteRT": Wrong("qa", wrong.set_tensor("inputs", (0,), type=TYPES.INT64), "litert", "input-type",
                                     "it is int64", WARNING),
    "int8 logits": Wrong("qa", wrong.set_tensor("outputs", (0,), type=TYPES.INT8), "task-library", "outputs",
                         "it is int8"),
    "int8 probabilities": Wrong("classification", wrong.set_tensor("outputs", (0,), type=TYPES.INT8), "mediapipe",
                                "output-type", "it is int8"),
    "two inputs": Wrong("qa", wrong.on_model(wrong.fewer_inputs), "task-library", "input-count", "has 2 inputs"),
    "two inputs for MediaPipe": Wrong("classification", wrong.on_model(wrong.fewer_inputs), "mediapipe", "input-count",
                                      "has 2 inputs"),
    "three outputs": Wrong("qa", wrong.on_model(wrong.more_outputs), "mlperf", "counts", "3 inputs and 3 outputs"),
    "two outputs": Wrong("classification", wrong.on_model(wrong.more_outputs), "mediapipe", "outputs", "2 outputs"),
    "a vector for each token": Wrong("classification", embedding(wrong.set_tensor("outputs", (0,), shape=[1, 2, 2])),
                                     "mediapipe", "vector", r"its shape is \[1, 2, 2\]; TextEmbedder gives all of it"),
    "two vectors": Wrong("classification", embedding(wrong.on_model(wrong.more_outputs)), "mediapipe", "vector",
                         "2 outputs; TextEmbedder gives each of them", WARNING),
    "two subgraphs": Wrong("classification", wrong.on_model(wrong.second_subgraph), "mediapipe", "one-subgraph",
                           "2 subgraphs"),
    "some lengths dynamic": Wrong("classification", wrong.set_tensor("inputs", (1,), shapeSignature=[1, -1]),
                                  "mediapipe", "input-shape", "some lengths are fixed and some dynamic"),
    **{f"dynamic lengths for {client}": Wrong(
        "classification", wrong.set_tensor("inputs", (0, 1, 2), shapeSignature=[1, -1]), client, "dynamic-shapes",
        "dynamic", severity) for client, severity in (("mediapipe", WARNING), ("litert", WARNING), ("gpu", ERROR),
                                                      ("npu", ERROR))},
    # The graph.
    "logits": Wrong("classification", wrong.logits, "task-library", "softmax", "raw logits"),
    "logits for MediaPipe": Wrong("classification", wrong.logits, "mediapipe", "softmax", "raw logits"),
    **{f"Flex for {client}": Wrong(base, wrong.custom("FlexErf"), client, check, "FlexErf") for base, client, check in (
        ("qa", "task-library", "builtin-operators"), ("classification", "mediapipe", "builtin-operators"),
        ("qa", "mlperf", "builtin-operators"), ("qa", "litert", "custom-operators"))},
    "no signature": Wrong("qa", wrong.on_model(lambda model: setattr(model, "signatureDefs", None)), "litert",
                          "signature", "there is none", WARNING, fixed=True),
    # Versions.
    "dense layers stamped 12": Wrong("qa", wrong.version("FULLY_CONNECTED", 12), "task-library", "runtime",
                                     r"FULLY_CONNECTED v12 needs runtime ≥ 2\.17\.0; Task Library 0\.4\.4 holds"),
    "the same in 2.14": Wrong("qa", wrong.version("FULLY_CONNECTED", 12), "litert", "runtime",
                              r"FULLY_CONNECTED v12 needs runtime ≥ 2\.17\.0; 2\.14 refuses", runtime="2.14"),
    "stamped too high": Wrong("qa", wrong.version("TRANSPOSE", 7), "litert", "over-stamped",
                              r"TRANSPOSE v7 \(v1 is enough\): runtimes from 2\.3\.0 to 2\.14\.4", WARNING, fixed=True),
    "stamped too low": Wrong("quantized", AS_IT_IS, "litert", "under-stamped",
                       r"stamped v5, but the operands need v12 .*NaN", fixed=True),
    "kernels of 2.9": Wrong("stock int8", AS_IT_IS, "litert", "wrong-before", r"runtimes before 2\.10\.0 that load",
                            runtime="2.9.1"),
    "stated runtime": Wrong("quantized", AS_IT_IS, "litert", "stated-runtime", r"the operators need 2\.17\.0", WARNING,
                            fixed=True),
    "buffers outside": Wrong("outside", AS_IT_IS, "litert", "outside-buffers", "behind the flatbuffer", NOTE,
                             fixed=True),
    # Quantization.
    "no scales": Wrong("stock int8", wrong.on_model(wrong.no_scale), "litert", "scales", "have no scale"),
    "zero-point": Wrong("stock int8", wrong.on_model(wrong.zero_point), "litert", "zero-point", "zero-point ≠ 0"),
    "mask of -10000 in int8": Wrong("stock int8", AS_IT_IS, "litert", "mask-constant",
                                    r"the mask constant -1e\+04 destroys the int8 range"),
    "int8 attention": Wrong("stock int8", AS_IT_IS, "litert", "partitions", "not delegated to XNNPACK", WARNING),
    # GPUs and NPUs.
    "2-D indices": Wrong("hostile to GPUs", AS_IT_IS, "gpu", "operators", "GATHER with 2-D indices stays off the GPU",
                         WARNING),
    "2-D activations": Wrong("hostile to GPUs", AS_IT_IS, "gpu", "layout", "wrong logits"),
    "mask of -3.4e38": Wrong("qa", wrong.on_model(wrong.huge_constant), "gpu", "float16", r"-3\.4e\+38"),
    "int8 on GPUs": Wrong("stock int8", AS_IT_IS, "gpu", "integers", "made for CPUs", WARNING),
    "float on NPUs": Wrong("qa", AS_IT_IS, "npu", "integers", "FULLY_CONNECTED"),
}
