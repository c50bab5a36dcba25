"""Output of ``mbl inspect``: a summary of about twenty lines, or everything."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mobilebert_lite.cli.convert_output import next_command
from mobilebert_lite.cli.output import channel_ranges, head_room, own_output, print_lines
from mobilebert_lite.common.files import to_json
from mobilebert_lite.errors import one_line, shorten

if TYPE_CHECKING:
    from rich.table import Table

    from mobilebert_lite.inspection.report import Inspection, SignatureInfo, TensorInfo

# Signatures, and other things that a file has many of, in the summary.
_MOST = 4


def print_summary(found: Inspection) -> None:
    """What one wants to know of a file first, and what to do next."""
    lines = [(title, said) for title, said in _facts(found) if said]
    width = max(len(title) for title, _ in lines) + 2
    print_lines(f"{found.path}: {found.bytes / 1e6:.2f} MB  {found.description}")
    last = ""
    for title, said in lines:
        print_lines(f"  {'' if title == last else title:{width}}{said}")
        last = title


def _facts(found: Inspection) -> Iterator[tuple[str, str]]:
    told = found.provenance
    yield "mode", str(_part(told, "recipe").get("name", ""))
    source = _part(told, "source")
    yield "made from", f"{source['name']} ({source['format']})" if {"name", "format"} <= source.keys() else ""
    if not told:
        yield "made by", "another converter, or without provenance"
    alone = [one for one in found.signatures if one.name != "serving_default"] or list(found.signatures)
    for one in alone[:_MOST]:
        yield "signature", f"{one.name}: {_shapes(one.inputs)} → {_shapes(one.outputs)}"
    if alone[_MOST:]:
        yield "signature", f"and {len(alone) - _MOST} more"
    for one in alone[:_MOST]:
        yield "XNNPACK", _delegated(one)
    yield "operators", f"{sum(one.count for one in found.operators)}, of {len(found.operators)} kinds"
    kinds = list(found.bytes_by_type.items())[:_MOST]
    yield "weights", ", ".join(f"{kind} {size / 1e6:.2f} MB" for kind, size in kinds)
    yield "files in it", ", ".join(found.files)
    yield "runtime", f"TFLite {told['min_runtime_version']} or later" if "min_runtime_version" in told else ""
    yield from _checked(told)
    yield "float16", (head_room(told) or "").removeprefix("in float16: ")
    path = shlex.quote(one_line(found.path))
    yield "next", _answer(found) or f"mbl bench {path} --vocab vocab.txt --runs 20"
    yield "next", f"mbl inspect {path} --client all    which clients can load it"
    yield "next", f"mbl inspect {path} --all           everything; --html FILE as a page, --json for programs"


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _answer(found: Inspection) -> str:
    """The command that answers with the file; "" for files that `mbl run` cannot read."""
    from mobilebert_lite.tasks import TASKS

    task = str(found.provenance.get("task"))
    return next_command(found.path, task) if task in TASKS else ""


def _delegated(one: SignatureInfo) -> str:
    if one.delegation is None:
        return ""
    rest = Counter(name for _, name in one.delegation.outside)
    outside = shorten([f"{count} {name}" for name, count in rest.items()]) if rest else "nothing"
    return f"{one.name}: {one.delegation.partitions} partition(s); outside: {outside}"


def _checked(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the file was verified to do."""
    checks = [(name, one) for name, one in _part(told, "verification").items()
              if isinstance(one, dict) and {"agreement", "texts", "error"} <= one.keys()]
    for name, one in checks[:_MOST]:
        yield "verified", (f"{name}: same answer as {told.get('verified_against', 'the float network')} on "
                           f"{one['agreement']:.1%} of {one['texts']} texts, mean relative error {one['error']:.2g}")
    if checks[_MOST:]:
        yield "verified", f"and {len(checks) - _MOST} more"
    texts = _part(told, "calibration").get("texts")
    yield "calibrated", "" if not texts else f"on {'the built-in texts' if texts == 'built in' else texts}"


def print_all(found: Inspection) -> None:
    """Everything but single tensors, which ``--json`` has."""
    from rich.console import Console

    print_lines(f"{found.path}: {found.bytes / 1e6:.2f} MB  {found.description}")
    first: dict[int, str] = {}
    for signature in found.signatures:
        if (same := first.setdefault(signature.subgraph, signature.name)) != signature.name:
            print_lines("", f"signature {signature.name}: the same as {same}")
            continue
        print_lines("", f"signature {signature.name}: {signature.operators} operators",
                    f"  inputs   {_shapes(signature.inputs)}", f"  outputs  {_shapes(signature.outputs)}")
        if taken := signature.delegation:
            rest = Counter(name for _, name in taken.outside)
            print_lines(f"  XNNPACK  {taken.partitions} partition(s); outside: "
                        + (", ".join(f"{count} {name}" for name, count in rest.items()) or "nothing"))
    print_lines("")

    console = Console(highlight=False, markup=False, emoji=False)
    for table in _tables(found):
        with own_output():
            console.print(table)
    print_lines(*_provenance(found.provenance))


def _tables(found: Inspection) -> Iterator[Table]:
    """Of operators, and of what takes the bytes."""
    from rich.table import Table

    table = Table("operator", "version", "count", "since TFLite", box=None)
    for operator in found.operators:
        table.add_row(one_line(operator.name), str(operator.version), str(operator.count), operator.since or "?")
    yield table

    table = Table("constants", "bytes", box=None)
    for kind, size in found.bytes_by_type.items():
        table.add_row(kind, f"{size:,}")
    for name, kind, shape, size in found.largest:
        table.add_row(f"  {one_line(name.split(';')[-1])} {kind} {list(shape)}", f"{size:,}")
    for name, size in found.files.items():
        table.add_row(f"file {one_line(name)}", f"{size:,}")
    yield table


def _provenance(told: Mapping[str, Any]) -> Iterator[str]:
    for note in told.get("fusion", []):
        yield f"fusion {note['rule']}: {'' if note['applied'] else 'not applied: '}{note['message']}"
    if room := head_room(told, always=True):
        yield room
    if ranges := channel_ranges(told):
        yield ranges
    # Ranges by block are numbers for a picture, and in --json.
    shown = {name: value for name, value in told.items() if name != "channel_ranges"}
    if not told:
        yield "no provenance: this file was not made by mobilebert-lite"
    else:
        yield from to_json(shown, indent=2).split("\n")


def _shapes(tensors: tuple[TensorInfo, ...]) -> str:
    return ", ".join(f"{tensor.name} {tensor.dtype} {list(tensor.shape)}" for tensor in tensors)
