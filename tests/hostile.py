"""A ``.tflite`` that attacks whoever shows what is in it: names, labels and provenance are HTML and JavaScript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mobilebert_lite.conversion.lowering import rewrite
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.edits import set_metadata

SCRIPT = "</title></style></script><script>window.hacked=1</script>"
IMAGE = '"\'><img src="http://127.0.0.1:9/x" onerror="window.hacked=1"><svg onload=window.hacked=1>'


def write_hostile(source: Path, target: Path) -> Path:
    """``source`` with hostile strings wherever a file can hold one."""
    content = source.read_bytes()
    provenance = _poison(metadata.read_provenance(content))

    def change(model: Any) -> None:
        model.description = SCRIPT.encode()
        for subgraph in model.subgraphs:
            for i, tensor in enumerate(subgraph.tensors):
                tensor.name = (tensor.name or b"") + (SCRIPT if i % 2 else IMAGE).encode()
        for definition in model.signatureDefs:
            definition.signatureKey += IMAGE.encode()
            for entry in (*definition.inputs, *definition.outputs):
                entry.name += SCRIPT.encode()
        set_metadata(model, metadata.ENTRY, json.dumps(provenance).encode())

    files = metadata.read_files(content)
    plain = rewrite(content, change)
    target.write_bytes(metadata.append_files(plain, {f"{name}{SCRIPT.replace('/', '∕')}": data
                                                     for name, data in files.items()}))
    return target


def _poison(value: Any) -> Any:
    """Every string of a JSON value, keys but not those that the page looks for among them."""
    if isinstance(value, str):
        return value + SCRIPT + IMAGE
    if isinstance(value, list):
        return [_poison(one) for one in value]
    if isinstance(value, dict):
        return {**{name: _poison(one) for name, one in value.items()}, SCRIPT: IMAGE}
    return value
