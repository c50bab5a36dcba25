"""``mbl android``."""

from __future__ import annotations

from pathlib import Path

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import Command, option, section
from mobilebert_lite.cli.parameters import PATH

_MODELS = click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=PATH)
_EXAMPLES = option("--examples", default=8, show_default=True, type=click.IntRange(1, 200),
                   help="Number of example texts to put beside each model, with the answers computed here.")
_MIN_RUNTIME = options.min_runtime(help="TFLite version that the app is built with, such as 2.16.1; models that it "
                                        "cannot load are refused. [default: the latest LiteRT]")


@click.group("android")
def command() -> None:
    """Put models into the Kotlin demo app."""


@command.command("assets", cls=Command, short_help="Put models into the app's sources.")
@_MODELS
@section("Input", _EXAMPLES, _MIN_RUNTIME)
@section("Output",
         option("--demo", default=Path("android_demo"), show_default=True, type=PATH, metavar="DIR",
                help="Folder of the demo app's sources."),
         options.as_json())
def assets(models: tuple[Path, ...], demo: Path, examples: int, min_runtime: str | None, as_json: bool) -> None:
    """Copy each MODEL with example texts into the app's assets; the next build of the app includes them.

    Models that the app cannot load, or that it has no screen for, are refused with a reason.
    """
    from mobilebert_lite.running.isolation import helper

    helper.prepare()
    from mobilebert_lite.android.assets import put_assets
    from mobilebert_lite.cli.output import print_json, print_lines

    written = [str(path) for path in put_assets(models, demo, examples, min_runtime)]
    if as_json:
        print_json(written, None)
    else:
        print_lines(*written)


@command.command("install", cls=Command, short_help="Put models on a phone, and the app.")
@_MODELS
@section("Input", _EXAMPLES, _MIN_RUNTIME,
         options.app(help="APK of the demo app, to install first. [default: the latest build, if the phone lacks the "
                          "app]"))
@section("Phones", options.serial(), *options.phones)
@section("Output", options.as_json())
def install(models: tuple[Path, ...], app: Path | None, serial: str | None, connect: tuple[str, ...],
            servers: tuple[str, ...], port: int | None, examples: int, min_runtime: str | None, as_json: bool) -> None:
    """Copy each MODEL with example texts to a phone, where the demo app finds it; install the app if needed."""
    import dataclasses

    from mobilebert_lite.running.isolation import helper

    helper.prepare()
    from mobilebert_lite.benchmarks.app import install as android_install
    from mobilebert_lite.cli.output import print_json, print_lines

    done = android_install.install(models, app, examples, serials=(serial,) if serial else (),
                                   servers=options.adb_servers(servers, port), connect=connect, runtime=min_runtime)
    if as_json:
        print_json(dataclasses.asdict(done), None)
    else:
        lines = [f"installed {done.app} on {done.serial}"] if done.app else []
        print_lines(*lines, *done.files)
