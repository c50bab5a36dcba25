"""``mbl android``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mobilebert_lite.cli.parameters import PATH, VERSION, adb_servers, phone_options

RUNTIME = click.option("--runtime", type=VERSION, metavar="VERSION",
                       help="The TFLite that the app is built with, if older than the latest LiteRT.")


@click.group("android")
def command() -> None:
    """Bring models to the Kotlin demo app."""


@command.command("assets", short_help="Put models into the app's sources.")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=PATH)
@click.option("--demo", default=Path("android_demo"), show_default=True, type=PATH, help="The demo's folder.")
@click.option("--examples", default=8, show_default=True, type=click.IntRange(1, 200),
              help="Texts to put beside each model, with what it answers here.")
@RUNTIME
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def assets(models: tuple[Path, ...], demo: Path, examples: int, runtime: str | None, as_json: bool) -> None:
    """Copy each MODEL with examples into the app's assets, from where its next build takes them.

    Models that the app's runtime cannot load, or that it has no screen for, are refused with a reason.
    """
    from mobilebert_lite.running.isolation import helper

    helper.prepare()
    from mobilebert_lite.android.assets import put_assets
    from mobilebert_lite.errors import printable

    written = [str(path) for path in put_assets(models, demo, examples, runtime)]
    click.echo(json.dumps(written, ensure_ascii=False) if as_json else printable("\n".join(written)))


@command.command("install", short_help="Put models on a phone, and the app.")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=PATH)
@click.option("--app", type=PATH, help="Install this APK before. [default: the one built last, if the app is missing]")
@click.option("--serial", help="The attached phone with this serial number.")
@phone_options
@click.option("--examples", default=8, show_default=True, type=click.IntRange(1, 200),
              help="Texts to put beside each model, with what it answers here.")
@RUNTIME
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def install(models: tuple[Path, ...], app: Path | None, serial: str | None, connect: tuple[str, ...],
            servers: tuple[str, ...], port: int | None, examples: int, runtime: str | None, as_json: bool) -> None:
    """Push each MODEL with examples to where the app on a phone finds it; the app too, where it is missing."""
    import dataclasses

    from mobilebert_lite.running.isolation import helper

    helper.prepare()
    from mobilebert_lite.benchmarks.app import install as android_install
    from mobilebert_lite.errors import printable

    done = android_install.install(models, app, examples, (serial,) if serial else (), adb_servers(servers, port),
                                   connect, runtime)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done), ensure_ascii=False))
    else:
        lines = [f"installed {done.app} on {done.serial}"] if done.app else []
        click.echo(printable("\n".join([*lines, *done.files])))
