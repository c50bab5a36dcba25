"""What every client that reads texts itself asks of a file: three inputs, a tokenizer, labels, plain operators."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mobilebert_lite.architecture.form import INPUTS
from mobilebert_lite.doctor.facts import Facts, Port
from mobilebert_lite.doctor.findings import ERROR, METADATA, STORED, WARNING, Problem, some
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.tflite.metadata import AXIS_LABELS, BERT_TOKENIZER, ENTRY
from mobilebert_lite.tflite.roles import PROBABILITY

# Tokens that the clients put around and into a text.
SPECIAL_TOKENS = ("[CLS]", "[SEP]", "[UNK]")
_CONVERT = "make the file with `mbl convert`"
# Special tokens, in capitals in every vocabulary.
_BRACKETED = re.compile(r"\[.*\]|<.*>")
_CAPITAL = re.compile("[A-Z]")
# Share of words with capitals up to which a vocabulary may be an uncased one with words added to it. Of the
# multilingual cased vocabulary 14 % have them.
_FEW = 0.01


def metadata(facts: Facts) -> Iterator[Problem]:
    """An entry TFLITE_METADATA with a description of the first subgraph."""
    if facts.metadata_error:
        yield Problem(ERROR, ENTRY, f"the metadata cannot be read: {facts.metadata_error}", "write it anew", METADATA)
    elif facts.metadata is None:
        yield Problem(ERROR, ENTRY, "the file has no TFLite Metadata, so the client finds no tokenizer",
                      "write it; the vocabulary must be given (--vocab)", METADATA)
    elif facts.subgraph_metadata is None:
        yield Problem(ERROR, ENTRY, "the metadata describe no subgraph; the client reads behind them",
                      "describe the first one", METADATA)


def input_count(facts: Facts) -> Iterator[Problem]:
    """Three inputs."""
    if len(facts.inputs) != len(INPUTS):
        names = some((port.name for port in facts.inputs), 6)
        yield Problem(ERROR, "inputs", f"the first subgraph has {len(facts.inputs)} inputs ({names}); the client fills "
                      "exactly 3", f"{_CONVERT}, which gives ids, mask and segment_ids")


def input_names(facts: Facts) -> Iterator[Problem]:
    """Metadata that call the inputs ids, mask and segment_ids."""
    yield from names(facts, facts.inputs, INPUTS, "inputs", "Task Library reads a null pointer, MediaPipe refuses it")


def names(facts: Facts, ports: tuple[Port, ...], wanted: tuple[str, ...], side: str, outcome: str) -> Iterator[Problem]:
    """Metadata names of ``ports`` are ``wanted``, each where the file itself has that tensor."""
    described = facts.subgraph_metadata
    if described is None:
        return
    present = getattr(described, side)
    if len(present) != len(ports):
        yield Problem(ERROR, side, f"the metadata describe {len(present)} {side}, the subgraph has {len(ports)}",
                      "describe each of them once, in its order", METADATA)
    found = [one.name for one in present]
    missing = [name for name in wanted if name not in found]
    if missing:
        yield Problem(ERROR, side, f"no metadata name is {some(repr(name) for name in missing)} (they are "
                      f"{some(map(repr, found), 6) or 'missing'}); the client looks for it: {outcome}",
                      "name them in the metadata", METADATA)
    for port in ports:
        if port.metadata and port.metadata.name in wanted and port.role in wanted and port.role != port.metadata.name:
            yield Problem(ERROR, f"{side} {port.number}", f"the metadata call it {port.metadata.name!r}, but the "
                          f"graph's own name {port.signature_name or port.tensor.name!r} says {port.role}",
                          "name it after the graph", METADATA)


def input_types(facts: Facts) -> Iterator[Problem]:
    """int32 inputs."""
    for port in facts.inputs:
        if port.tensor.kind != "INT32":
            yield Problem(ERROR, f"input {port.name}", f"it is {port.tensor.kind.lower()}; the client writes int32",
                          f"{_CONVERT}, or cast it inside the graph before conversion")


def input_shapes(facts: Facts) -> Iterator[Problem]:
    """Inputs [1, S] of one length of 2 or more, all fixed or all dynamic."""
    for port in facts.inputs:
        shape = list(port.tensor.shape)
        if len(shape) != 2:
            yield Problem(ERROR, f"input {port.name}", f"its shape is {shape}; the client expects [1, S]", _CONVERT)
        elif shape[0] != 1:
            yield Problem(ERROR, f"input {port.name}", f"its batch is {shape[0]}; the client reads one text at a time",
                          "convert with a batch of 1, as `mbl convert` does")
    lengths = {port.tensor.shape[1] for port in facts.inputs if len(port.tensor.shape) == 2}
    dynamic = {port.tensor.is_dynamic for port in facts.inputs}
    if len(lengths) > 1:
        yield Problem(ERROR, "inputs", f"their lengths differ: {some(map(str, sorted(lengths)))}", _CONVERT)
    elif len(dynamic) > 1:
        yield Problem(ERROR, "inputs", "some lengths are fixed and some dynamic", f"{_CONVERT} --seq-len")
    elif lengths and not any(dynamic) and min(lengths) < 2:
        yield Problem(ERROR, "inputs", f"a length of {min(lengths)} holds no text; [CLS] and [SEP] take 2",
                      f"{_CONVERT} --seq-len 128")


def tokenizer(facts: Facts) -> Iterator[Problem]:
    """A first input process unit BertTokenizerOptions that names a vocabulary."""
    if facts.subgraph_metadata is None:
        return
    unit = facts.tokenizer
    if unit is None:
        yield Problem(ERROR, "metadata", "there is no input process unit: BertTokenizerOptions is missing, so the "
                      "client has no tokenizer", "add it with the vocabulary", METADATA)
    elif unit.kind != BERT_TOKENIZER:
        yield Problem(ERROR, "metadata", f"the first input process unit is {unit.kind}; WordPiece needs "
                      f"{BERT_TOKENIZER}", "replace it", METADATA)
    elif facts.vocabulary_name is None:
        yield Problem(ERROR, "metadata", f"{BERT_TOKENIZER} names no vocabulary file", "name it", METADATA)


def vocabulary(facts: Facts) -> Iterator[Problem]:
    """The vocabulary carried, no larger than the word table, with the special tokens."""
    name = facts.vocabulary_name
    if name is None:
        return
    if name not in facts.files:
        yield Problem(ERROR, name, f"the metadata name the vocabulary {name!r}, which the file does not carry (it "
                      f"carries {some(facts.files) or 'nothing'})", "append it (--vocab FILE)", METADATA)
        return
    words = _words(facts)
    if missing := [word for word in SPECIAL_TOKENS if word not in words]:
        yield Problem(ERROR, name, f"the vocabulary lacks {some(missing)}", "append the one of the checkpoint "
                      "(--vocab FILE)", METADATA)
    ids = facts.by_role(facts.inputs).get("ids")
    table = facts.first.table_read_by(ids.tensor) if ids else None
    if table is not None and table.shape and len(words) != table.shape[0]:
        too_long = len(words) > table.shape[0]
        yield Problem(ERROR if too_long else WARNING, name,
                      f"it has {len(words)} words, the word table {table.shape[0]} rows"
                      + ("; ids beyond it stop the client" if too_long else "; is it the checkpoint's?"),
                      "append the one of the checkpoint (--vocab FILE)", METADATA)


# What `same_tokens` asks for.
SAME_TOKENS = ("the client, which lower-cases ASCII and knows no added tokens, makes the tokens that the checkpoint "
               "was trained with")


def same_tokens(facts: Facts) -> Iterator[Problem]:
    """The client's tokenizer gives the tokens that the checkpoint was trained with.

    That of both clients is ``phone`` of ``tokenization``: it lower-cases ASCII and keeps accents, and no setting in the
    metadata changes that.
    """
    try:
        settings = facts.tokenizer_settings
    except ModelFileError as error:
        yield Problem(ERROR, "provenance", str(error), _CONVERT)
        return
    mend = ("run it with LiteRT, and split texts with the tokenizer in core/ of the demo app, which does as the file "
            "says; or train from an uncased checkpoint without added tokens")
    if settings is not None:
        if different := settings.phone_differences():
            yield Problem(ERROR, "tokenizer", f"the client makes other tokens of texts than the checkpoint was trained "
                          f"with: {'; '.join(different)}", mend)
        return
    words = [word for word in _words(facts) if not _BRACKETED.fullmatch(word)]
    capital = [word for word in words if _CAPITAL.search(word)]
    if capital:
        cased = len(capital) > _FEW * len(words)
        yield Problem(ERROR if cased else WARNING, str(facts.vocabulary_name),
                      f"{len(capital)} of {len(words)} words have capital letters ({some(capital)}); the client "
                      "lower-cases every text" + (", and this vocabulary is cased" if cased else
                                                  " and never finds them"), mend)


def _words(facts: Facts) -> list[str]:
    """As every client ends a line: words may hold other characters that Python calls line breaks."""
    content = facts.files.get(facts.vocabulary_name or "", b"").decode("utf-8", "replace")
    return content.removesuffix("\n").replace("\r\n", "\n").split("\n")


def stored(facts: Facts) -> Iterator[Problem]:
    """Carried files not compressed."""
    if facts.compressed:
        yield Problem(ERROR, some(facts.compressed), "the appended files are compressed; the client maps them and "
                      "refuses that", "store them as they are", STORED)


def builtin_operators(facts: Facts) -> Iterator[Problem]:
    """Built-in operators only."""
    if custom := sorted({operator.name for operator in facts.first.operators if operator.custom}):
        yield Problem(ERROR, "operators", f"{some(custom)}: the client has built-in operators only",
                      "convert without SELECT_TF_OPS; `mbl convert` uses built-in operators for every task")


def class_output(facts: Facts) -> Iterator[Problem]:
    """One output [1, N]."""
    if len(facts.outputs) != 1:
        yield Problem(ERROR, "outputs", f"there are {len(facts.outputs)} outputs "
                      f"({some(port.name for port in facts.outputs)}); the client reads exactly one",
                      "convert with --task classification")
    for port in facts.outputs[:1]:
        shape = list(port.tensor.shape)
        if len(shape) != 2 or shape[0] != 1:
            yield Problem(ERROR, f"output {port.name}", f"its shape is {shape}; the client expects [1, N]", _CONVERT)


def class_names(facts: Facts) -> Iterator[Problem]:
    """Metadata that call the output probability."""
    yield from names(facts, facts.outputs, (PROBABILITY,), "outputs", "Task Library reads a null pointer")


def softmax(facts: Facts) -> Iterator[Problem]:
    """The output is that of a SOFTMAX or LOGISTIC."""
    for port in facts.outputs[:1]:
        maker = facts.first.producer(port.tensor)
        if maker is None or maker.name not in ("SOFTMAX", "LOGISTIC"):
            last = maker.place if maker else "no operator"
            yield Problem(ERROR, f"output {port.name}", f"the graph ends with {last}: raw logits, which the client "
                          "reports as probabilities", "convert without --logits")


def labels(facts: Facts) -> Iterator[Problem]:
    """A label for each value of the output, in the first file of type TENSOR_AXIS_LABELS."""
    for port in facts.outputs[:1]:
        if port.metadata is None:
            continue
        files = port.metadata.files
        if not files or files[0].type != AXIS_LABELS:
            what = f"its first file is {files[0].name!r}, of type {files[0].type}" if files else "it has no label file"
            yield Problem(WARNING, f"output {port.name}", f"{what}; the client reports numbers in place of labels",
                          f"append the labels (--labels FILE) as {AXIS_LABELS}", METADATA)
        elif files[0].name not in facts.files:
            yield Problem(ERROR, files[0].name, f"the metadata name the labels {files[0].name!r}, which the file does "
                          "not carry", "append them (--labels FILE)", METADATA)
        elif port.tensor.shape:
            lines = facts.files[files[0].name].decode("utf-8", "replace").splitlines()
            if len(lines) != port.tensor.shape[-1]:
                yield Problem(ERROR, files[0].name, f"there are {len(lines)} labels for {port.tensor.shape[-1]} "
                              "outputs; the client reads behind the last one", "append the checkpoint's "
                              "(--labels FILE)", METADATA)
