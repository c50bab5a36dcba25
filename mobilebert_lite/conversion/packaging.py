"""What a finished file carries besides the network: its own description, operator versions, vocabulary, labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobilebert_lite.conversion import verify
from mobilebert_lite.conversion.building import Built
from mobilebert_lite.conversion.client_metadata import describe_model
from mobilebert_lite.conversion.lowering import add_default_signature, rewrite
from mobilebert_lite.conversion.plan import Plan
from mobilebert_lite.converters.checkpoints import Checkpoint
from mobilebert_lite.fusion import center, channel_ranges, equalize
from mobilebert_lite.tasks import Task, labels
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite import metadata as tflite_metadata
from mobilebert_lite.tflite import op_versions
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.metadata_writer import pack_metadata
from mobilebert_lite.version import __version__


def describe(plan: Plan, built: Built, results: Sequence[verify.Verification]) -> dict[str, Any]:
    """The provenance that the file carries."""
    weights, recipe = plan.checkpoint.weights, plan.recipe
    fused, room = built.fused, built.head_room
    return {
        "toolkit": f"mobilebert-lite {__version__}",
        "task": plan.task.name,
        "form": vars(plan.task.form),
        "lengths": list(plan.lengths),
        **plan.checkpoint.tokenizer.settings.provenance(),
        "source": {"format": weights.source.format, "name": Path(weights.source.path).name,
                   "sha256": weights.source.sha256, "parameters": weights.parameters},
        "config": weights.config.facts(),
        "recipe": {"name": recipe.name, "word_table": recipe.word_table,
                   "rules": [vars(rule) for rule in recipe.rules]},
        "fusion": [vars(note) for note in fused.notes],
        "mask": vars(fused.masking),
        "calibration": {"texts": plan.calibration_file.name if plan.calibration_file else "built in",
                        "sha256": _sha256(plan.calibration_file)},
        "verification": verify.summary(results),
        "verified_against": "quantization-aware training" if plan.trained else "the float network",
        "float16": room.to_json() if room else None,
        **({"channel_ranges": _channel_ranges(built)} if fused.channels else {}),
    }


def _channel_ranges(built: Built) -> dict[str, Any]:
    """The channels before and after they were scaled; the factors are exact, so only what was before is measured."""
    fused = built.fused
    rule = next(note.rule for note in fused.notes if note.rule in (equalize.NAME, center.NAME) and note.applied)
    return {"rule": rule, "texts": built.channel_texts, "length": built.channel_length,
            "padding": {equalize.NAME: equalize.PADDING, center.NAME: center.PADDING}[rule],
            "percentiles": list(channel_ranges.PERCENTILES),
            "parts": channel_ranges.summarize(fused.channels, fused.config.num_hidden_layers)}


def float_operators(model: Any) -> list[str]:
    """Operators of the first signature that read or write float, as ``DEQUANTIZE end_logits``."""
    subgraph = model.subgraphs[0]
    found = []
    for operator in subgraph.operators:
        tensors = [subgraph.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
        if any(op_versions.type_name(tensor).startswith("FLOAT") for tensor in tensors):
            name = op_versions.operator_name(model.operatorCodes[operator.opcodeIndex])
            found.append(f"{name} {subgraph.tensors[operator.outputs[0]].name.decode().split(';')[-1]}")
    return found


def carried_files(checkpoint: Checkpoint, task: Task) -> dict[str, bytes]:
    """Vocabulary and, for classes, their names."""
    carried = {metadata.VOCABULARY: "".join(f"{word}\n" for word in checkpoint.tokenizer.vocabulary).encode()}
    if names := checkpoint.class_names(task):
        carried[metadata.LABELS] = labels.encode(names)
    return carried


def finish(content: bytes, provenance: dict[str, Any], carried: Mapping[str, bytes]) -> bytes:
    """The quantized file with its versions stamped, its own description, and the files it carries."""
    def change(model: Any) -> None:
        provenance["min_runtime_version"] = op_versions.stamp_versions(model)
        model.description = f"{provenance['toolkit']}: MobileBERT for {provenance['task']}".encode()
        set_metadata(model, "min_runtime_version", provenance["min_runtime_version"].encode().ljust(16, b"\0"))
        set_metadata(model, metadata.ENTRY, json.dumps(provenance, sort_keys=True).encode())
        set_metadata(model, tflite_metadata.ENTRY, pack_metadata(describe_model(model, provenance, carried)))
        add_default_signature(model)

    return metadata.append_files(rewrite(content, change), carried)


def _sha256(path: Path | None) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else None
