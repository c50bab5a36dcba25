"""How ``mbl inspect --client`` prints what the doctor found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mobilebert_lite.doctor.diagnose import Diagnosis
    from mobilebert_lite.doctor.fix import Mended


def examine(model: Path, clients: tuple[str, ...], runtime: str | None, output: Path | None, vocabulary: Path | None,
            labels: Path | None, as_json: bool) -> None:
    """Diagnose, mend where asked, print. Raises ModelFileError when a client asked for cannot use the file."""
    from mobilebert_lite.doctor.diagnose import diagnose
    from mobilebert_lite.doctor.fix import fix
    from mobilebert_lite.errors import ModelFileError

    clients = clients or ("all",)
    found = diagnose(model, clients, runtime)
    mended = None if output is None else fix(model, output, found, clients, vocabulary, labels)
    last = mended.after if mended else found
    if as_json:
        click.echo(json.dumps({**found.to_json(), **({"fix": mended.to_json()} if mended else {})}, indent=2,
                              ensure_ascii=False))
    else:
        _print(found)
        if mended:
            _print_mended(mended)
    if last.errors:
        failing = dict.fromkeys(one.client for one in last.errors)
        raise ModelFileError(f"{last.path} does not fit {', '.join(failing)}: {len(last.errors)} error(s), named "
                             f"above{'' if mended or not found.fixable else '; --fix OUT mends some of them'}")


def _print(found: Diagnosis) -> None:
    click.echo(f"{found.path}: {found.kind}")
    for client, fits in found.fits.items():
        verdict = {True: "fits", False: "does not fit", None: f"takes no files for {found.kind}"}[fits]
        click.echo(f"\n{client}: {verdict}")
        for one in found.findings:
            if one.client == client:
                click.echo(f"  {one.severity} {one.check}, {one.where}: {one.what}")
                click.echo(f"    mend: {one.mend}{' (--fix does)' if one.fix else ''}")


def _print_mended(mended: Mended) -> None:
    click.echo(f"\n{mended.output}: mended {', '.join(mended.applied)}")
    for name, reason in mended.skipped.items():
        click.echo(f"  not {name}: {reason}")
    click.echo(f"  outputs: {'the same as before' if mended.same_outputs else mended.reason}")
    for one in mended.after.findings:
        if one.severity != "note":
            click.echo(f"  left: {one.severity} {one.client} {one.check}, {one.where}: {one.what}")
            click.echo(f"    mend: {one.mend}")
