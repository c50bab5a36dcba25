"""The page of `mbl inspect --html`: a picture of what `--json` holds, and of nothing else."""

from __future__ import annotations

import importlib.util
import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mobilebert_lite.fusion import channel_ranges
from mobilebert_lite.inspection.parts import (
    ATTENTION,
    BOTTLENECKS,
    EMBEDDING,
    FEED_FORWARD,
    HEAD,
    MASK,
    OTHER,
    POSITIONS,
    WORDS,
)
from mobilebert_lite.pages import charts
from mobilebert_lite.pages.page import render

# Part -> the class that colors it; files and what is no tensor have one each.
_COLOURS = {WORDS: "words", POSITIONS: "positions", EMBEDDING: "embedding", BOTTLENECKS: "bottlenecks",
            ATTENTION: "attention", FEED_FORWARD: "feed-forward", HEAD: "head", MASK: "other", OTHER: "other"}


def inspect_page(found: Mapping[str, Any], diagnosis: Mapping[str, Any] | None = None) -> str:
    """HTML of ``found``, the JSON form of an Inspection, and of what the doctor said, where it was asked."""
    provenance = found["provenance"]
    return render(
        "inspect.html.jinja", title=f"{Path(found['path']).name} · mobilebert-lite", found=found, diagnosis=diagnosis,
        name=Path(found["path"]).name, facts=_facts(found), parts=_parts(found), tiles=_tiles(found),
        subgraphs=_subgraphs(found), operators=_operators(found["operators"]), ranges=_ranges(provenance),
        room=_room(provenance), tensors=[_tensor(one) for one in found["tensors"]],
        choices=_choices(found["tensors"]), verification=_verification(provenance), notes=_notes(provenance),
        provenance_json=json.dumps(provenance, indent=2, ensure_ascii=False), explorer=_explorer(found["path"]))


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What one wants to know first."""
    provenance = found["provenance"]
    taken = [one["delegation"] for one in found["signatures"] if one["delegation"]]
    recipe = provenance.get("recipe")
    told = {
        "task": provenance.get("task"),
        "quantization": recipe.get("name") if isinstance(recipe, dict) else None,
        "needs TFLite": provenance.get("min_runtime_version"),
        "XNNPACK partitions": taken[0]["partitions"] if taken else None,
        "operators": sum(one["count"] for one in found["operators"]),
        "tensors": f"{len(found['tensors']):,}",
    }
    return [(name, str(value)) for name, value in told.items() if value is not None]


def _parts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{**part, "color": _color(part["part"]), "of": found["bytes"],
             "formats": ", ".join(sorted(part["bytes_by_type"]))} for part in found["parts"]]


def _color(part: str) -> str:
    return _COLOURS.get(part, "file" if part.startswith("file ") else "graph")


def _tiles(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = found["parts"]
    return [{**vars(tile), **parts[tile.index], "color": _color(parts[tile.index]["part"])}
            for tile in charts.treemap([max(part["bytes"], 0) for part in parts])]


def _subgraphs(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Signatures that are one subgraph stand together."""
    by_number: dict[int, dict[str, Any]] = {}
    for signature in found["signatures"]:
        if (number := signature["subgraph"]) in by_number:
            by_number[number]["names"].append(signature["name"])
            continue
        taken = signature["delegation"]
        outside = taken["outside"] if taken else []
        by_number[number] = {
            **signature, "names": [signature["name"]],
            "outside": Counter(name for _, name in outside).most_common(),
            "strip": charts.strip(signature["operators"], outside, f"Operators of {signature['name']} in the order of "
                                  "execution; those outside XNNPACK are marked.") if taken else None}
    return list(by_number.values())


def _operators(operators: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    most = max((one["count"] for one in operators), default=1)
    return [{**one, "length": 100 * one["count"] / most} for one in operators]


def _ranges(provenance: Mapping[str, Any]) -> dict[str, Any] | None:
    record = provenance.get("channel_ranges")
    read = channel_ranges.read(record)
    if not read:
        return None
    ratios = channel_ranges.imbalance(record)
    panels = [{"part": part, "ratio": ratios.get(part),
               "chart": charts.ranges_by_block(f"Ranges of the channels of {part} by block, before and after balancing",
                                               moments["before"], moments["after"]),
               "rows": [(i, *map(float, before), *map(float, after)) for i, (before, after) in
                        enumerate(zip(moments["before"], moments["after"], strict=True))]}
              for part, moments in read["parts"].items()]
    return {**read, "panels": panels}


def _room(provenance: Mapping[str, Any]) -> dict[str, Any] | None:
    """Head room in float16, where the file says it; a file can say anything."""
    try:
        found = provenance["float16"]
        largest, smallest = float(found["largest"]), float(found["smallest_typical"])
        if not (0 < smallest <= largest and math.isfinite(largest)):
            return None
        return {"chart": charts.head_room(largest, smallest, "Activations in the range of float16"),
                "above": float(found["bits_above"]), "below": float(found["bits_below"]),
                "largest_in": str(found["largest_in"]), "smallest_in": str(found["smallest_in"])}
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _tensor(tensor: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table. Fused operators join their names with ``;``: the last is the outermost."""
    names = [piece for piece in tensor["name"].split(";") if piece]
    quantization = tensor["quantization"]
    return {**tensor, "short": names[-1] if names else "", "rest": names[:-1],
            "place": tensor["part"] if tensor["layer"] is None else f"{tensor['part']} · block {tensor['layer']}",
            "kind": "float" if quantization is None and tensor["dtype"].startswith("FLOAT") else
                    "none" if quantization is None else "channels" if quantization["scales"] > 1 else "tensor"}


def _choices(tensors: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What the table can be filtered by."""
    return {name: sorted({tensor[name] for tensor in tensors}) for name in ("role", "dtype", "part")}


def _verification(provenance: Mapping[str, Any]) -> list[tuple[str, float, int, float]]:
    """Signature, agreement, texts, mean relative error."""
    try:
        return [(str(name), float(one["agreement"]), int(one["texts"]), float(one["error"]))
                for name, one in provenance["verification"].items()]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return []


def _notes(provenance: Mapping[str, Any]) -> list[tuple[str, bool, str]]:
    """Fusion rule, whether it was applied, what it did."""
    try:
        return [(str(one["rule"]), bool(one["applied"]), str(one["message"])) for one in provenance["fusion"]]
    except (KeyError, TypeError):
        return []


def _explorer(path: str) -> dict[str, str | None]:
    """How to see the graph itself, node by node, in Model Explorer: a command, and where it is installed the address
    under which its server (port 8080 unless told otherwise) shows the file."""
    models = {"models": [{"url": str(Path(path).resolve())}]}
    return {"command": f"model-explorer {shlex.quote(path)}",
            "link": f"http://localhost:8080/?data={quote(json.dumps(models))}" if model_explorer_installed() else None}


def model_explorer_installed() -> bool:
    """Whether this environment has ai-edge-model-explorer."""
    return importlib.util.find_spec("model_explorer") is not None
