"""``mbl export``."""

from __future__ import annotations

import json

import click

from mobilebert_lite.cli.parameters import FORMAT, PATH, one_of


@click.command("export")
@click.argument("checkpoint")
@click.option("--to", "target", required=True, type=one_of("huggingface", "tf1"), help="What to write.")
@click.option("--output", "-o", required=True, type=PATH, help="Folder to write; it must not hold anything yet.")
@click.option("--revision", help="Commit, tag or branch of the hub id.")
@click.option("--format", type=FORMAT, help="What CHECKPOINT is: huggingface, tf1, model_garden, saved_model or "
                                            "tf1_hub. [default: by its files]")
@click.option("--config", type=PATH, metavar="PATH|PRESET", help="Its configuration, if not beside the weights.")
@click.option("--vocab", "vocabulary", type=PATH, help="Vocabulary, if not beside the weights.")
@click.option("--labels", type=PATH, help="Names of the classes, one a line.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool, **options: object) -> None:
    """Write CHECKPOINT (folder, prefix or hub id) as a checkpoint of another ecosystem.

    Tensors keep every byte. Vocabulary, labels and configuration go along.
    """
    from mobilebert_lite.cli.output import progress
    from mobilebert_lite.converters.export import ExportRequest, export

    done = export(ExportRequest(**options), progress)  # type: ignore[arg-type]
    if as_json:
        click.echo(json.dumps(done.to_json(), indent=2))
        return
    click.echo(f"{done.output}: {done.format}, {done.tensors} tensors, {done.parameters:,} parameters, from "
               f"{done.source.format}")
    click.echo(f"  {', '.join(done.files)}")
