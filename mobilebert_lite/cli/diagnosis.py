"""Output of ``mbl inspect --client``: findings of the doctor, and its repairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mobilebert_lite.cli.output import print_json, print_lines, write_page
from mobilebert_lite.errors import RepairError, RequestError

if TYPE_CHECKING:
    from mobilebert_lite.doctor.diagnose import Diagnosis
    from mobilebert_lite.doctor.fix import Mended

T = TypeVar("T")


def examine(model: Path, clients: tuple[str, ...], runtime: str | None, output: Path | None, vocabulary: Path | None,
            *, labels: Path | None, as_json: bool, page: Path | None) -> None:
    """Diagnose, repair if asked, print. Raises ModelFileError if a client that was asked for cannot load the file."""
    from mobilebert_lite.common.files import write_atomically
    from mobilebert_lite.doctor.diagnose import diagnose
    from mobilebert_lite.doctor.fix import mended_copy
    from mobilebert_lite.errors import ModelFileError

    found = examined(model, partial(diagnose, model, clients, runtime), clients)
    mended: Mended | None = None
    try:
        if output is not None:
            content, mended = examined(model, partial(mended_copy, model, output, found, clients, vocabulary=vocabulary,
                                                      labels=labels), clients)
            write_atomically(output, content)
    except RepairError:
        if not as_json:
            print_lines(*_told(found), *_not_mended(found))
        raise
    last = mended.after if mended else found
    if page is not None:
        _write_page(page, model, found)
    if as_json:
        print_json({**found.to_json(), **({"fix": mended.to_json()} if mended else {})})
    else:
        print_lines(*_told(found), *(_told_of_mending(mended) if mended else ()))
    if last.errors:
        failing = dict.fromkeys(one.client for one in last.errors)
        raise ModelFileError(f"{last.path} does not fit {', '.join(failing)}: {len(last.errors)} error(s), named "
                             f"above{'' if mended or not found.fixable else '; --fix FILE repairs some of them'}")


def examined(model: Path, work: Callable[[], T], clients: tuple[str, ...] = ()) -> T:
    """``work()`` on the file ``model`` within what it may cost; compilers of NPUs, which are asked for by name, have
    limits of their own."""
    from mobilebert_lite.doctor.diagnose import NPU
    from mobilebert_lite.running.isolation import helper
    from mobilebert_lite.running.isolation.contained import Excess, contained
    from mobilebert_lite.tflite.flatbuffer import schema

    if any(one.startswith(NPU) for one in clients):
        return work()
    helper.prepare()  # the process that runs the file is this one's, and has a limit of its own
    schema()  # large, and not the file's
    try:
        return contained(work, model.stat().st_size if model.is_file() else 0)
    except Excess as error:
        raise Excess(f"{model}: {error}") from None


def _write_page(page: Path, model: Path, found: Diagnosis) -> None:
    from mobilebert_lite.inspection.report import inspect
    from mobilebert_lite.pages.inspect_page import inspect_page

    if found.kind == "package":
        raise RequestError(f"{model} is a package, but --html shows one model; give a .tflite file of the package")
    write_page(page, inspect_page(examined(model, partial(inspect, model)).to_json(), found.to_json()))


def _told(found: Diagnosis) -> list[str]:
    lines = [f"{found.path}: {found.kind}"]
    for client, fits in found.fits.items():
        verdict = {True: "fits", False: "does not fit", None: f"does not support files for {found.kind}"}[fits]
        lines += ["", f"{client}: {verdict}"]
        for one in found.findings:
            if one.client == client:
                lines += [f"  {one.severity} {one.check}, {one.where}: {one.what}",
                          f"    fix: {one.mend}{' (--fix does this)' if one.fix else ''}"]
    return lines


def _told_of_mending(mended: Mended) -> list[str]:
    lines = ["", f"{mended.output}: repaired {', '.join(mended.applied)}"]
    lines += [f"  not repaired: {name}: {reason}" for name, reason in mended.skipped.items()]
    lines.append(f"  outputs: {'the same as before' if mended.same_outputs else mended.reason}")
    return lines + _not_mended(mended.after)


def _not_mended(after: Diagnosis) -> list[str]:
    """What is left to do by other means. What several clients find is listed once; notes need no repair."""
    from mobilebert_lite.doctor.findings import NOTE

    left: dict[tuple[str, str, str, str], list[str]] = {}
    for one in after.findings:
        if one.severity != NOTE:
            left.setdefault((one.severity, one.where, one.what, one.mend), []).append(f"{one.client} {one.check}")
    if not left:
        return ["", "nothing else to repair"]
    lines = ["", f"--fix cannot repair ({len(left)}):"]
    for (severity, where, what, mend), found_by in left.items():
        lines += [f"  {severity} {', '.join(found_by)}, {where}: {what}", f"    instead: {mend}"]
    return lines
