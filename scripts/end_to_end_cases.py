"""Models, and what `mbl run` answers with them, for the Kotlin demo to answer alike.

    python scripts/end_to_end_cases.py --output out/cases

converts the bundled checkpoints into ``models/`` (``-old`` are the ones that TFLite 2.6 can run), and writes
``models.json``: for each model 100 texts with the JSON that ``mbl run --json`` prints, from this machine's processor.
``contenders`` of a question are the answers that tie with the best one here (text, start, end, score; the best first):
which of them another interpreter gives, its rounding decides. ``features`` and ``regression`` in ``models/`` are for
what the demo has no screen for. ``app/`` holds what `mbl bench --runner app` would send to a phone: texts with answers,
and the command with its arguments.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from tokenizer_cases import AWKWARD

from mobilebert_lite.android.assets import examples, usable_model
from mobilebert_lite.benchmarks.app.request import AppRequest
from mobilebert_lite.benchmarks.measuring.texts import read_texts
from mobilebert_lite.cli import cli
from mobilebert_lite.common.files import json_bytes, write_atomically
from mobilebert_lite.converters.checkpoints import demonstration
from mobilebert_lite.datasets.reading import QuestionExample, builtin_examples
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import question_answering

COUNT = 100
TOP = 3
# What TFLite 2.6 runs: it runs one signature alone, and computes dense int8 layers with a scale per channel wrongly.
OLD = ("--quantize", "none", "--min-runtime", "2.6", "--seq-len", "64")
# Name -> options of `mbl convert`. Several lengths, so that the shortest that holds a text is taken.
MODELS = {
    # The desktop build of TFLite 2.18 computes dynamic layers wrongly, which LiteRT 1.0.1, 1.4.0 and 2.3.0 do not.
    "qa": ("--task", "qa", "--quantize", "int8", "--min-runtime", "2.16.1", "--seq-len", "384,64"),
    "classification": ("--task", "classification", "--quantize", "int8", "--min-runtime", "2.16.1",
                       "--seq-len", "128,32"),
    "qa-old": ("--task", "qa", *OLD),
    "classification-old": ("--task", "classification", *OLD),
}


def asked(task: str, count: int) -> list[dict[str, Any]]:
    """Questions or texts: the package's own, mixed with awkward pieces, long ones, and pairs."""
    rng = random.Random(7)
    plain = list(builtin_examples(task))
    return [_question(rng, plain, i) if task == "qa" else _text(rng, plain, i) for i in range(count)]


def _question(rng: random.Random, plain: Sequence[Any], i: int) -> dict[str, Any]:
    example: QuestionExample = plain[i % len(plain)]
    contexts = [example.context]
    if i >= len(plain):  # several windows, the answer somewhere among them
        # Each once: the same words twice are the same answer at two places.
        others = sorted({other.context for other in plain} - {example.context})
        contexts += rng.sample(others, k=min(rng.choice((3, 12, 40)), len(others)))
        rng.shuffle(contexts)
    return {"question": example.question, "context": _mixed(rng, " ".join(contexts), i)}


def _text(rng: random.Random, plain: Sequence[Any], i: int) -> dict[str, Any]:
    text = _mixed(rng, plain[i % len(plain)].text, i)
    return {"text": text, "pair": rng.choice(plain).text * rng.choice((1, 9))} if i % 5 == 4 else {"text": text}


def _mixed(rng: random.Random, text: str, i: int) -> str:
    if i % 3:
        return text
    words = text.split(" ")
    words.insert(rng.randrange(len(words) + 1), rng.choice([piece for piece in AWKWARD if "\0" not in piece]))
    return " ".join(words)


def invoke(*arguments: str) -> str:
    """What a command prints to stdout."""
    result = CliRunner().invoke(cli, list(arguments))
    if result.exit_code:
        raise RuntimeError(f"mbl {' '.join(arguments)}: {result.output} {result.exception}")
    return str(result.stdout)


def printed(path: Path, text: dict[str, Any]) -> Any:
    """What ``mbl run --json`` prints for a text."""
    top = ("--top", str(TOP)) if "question" in text else ()
    asked = [word for key, value in text.items() for word in (f"--{key}", value)]
    return json.loads(invoke("run", str(path), "--json", *top, *asked))


def answered(model: Model, text: dict[str, Any]) -> dict[str, Any]:
    """A case: the text, ``result`` as the command prints it, and what ties with the best answer."""
    if "question" not in text:
        return {**text, "result": [asdict(one) for one in model.classify(text["text"], text.get("pair"))]}
    context = text["context"]
    found = model.task.features(model.tokenizer, QuestionExample("", text["question"], context), model.longest)
    windows, outputs = zip(*map(model.run, found), strict=True)
    answers = question_answering.decode(windows, outputs, context)
    tied = question_answering.contenders(windows, outputs, context)
    return {**text, "result": [asdict(one) for one in answers[:TOP]],
            "contenders": [{"text": one.text, "start": one.start, "end": one.end, "score": one.score} for one in tied]}


def app_request(path: Path, folder: Path) -> None:
    """Beside its texts ``arguments.json``: the words of the command, and what the app should understand."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = folder / "texts.examples.json"
    model = usable_model(path)
    texts = read_texts(None, model.task)
    write_atomically(expected, json.dumps(examples(model, texts), ensure_ascii=False).encode())
    request = AppRequest(str(path.resolve()), str(expected.resolve()), threads=2, warm_up=3, runs=70, seconds=0.25,
                         signature=f"{model.task.name}_64", first=7)
    content = {"command": request.command(), "request": asdict(request)}
    write_atomically(folder / "arguments.json", json_bytes(content))


def convert_others(folder: Path) -> None:
    """Models that the demo has no screen for."""
    invoke("convert", "--weights", str(demonstration("qa")), "--task", "features", *OLD,
           "--output", str(folder / "features.tflite"))
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(demonstration("classification"), copy, dirs_exist_ok=True)
        config = Path(copy) / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"problem_type": "regression"}))
        invoke("convert", "--weights", copy, *OLD, "--output", str(folder / "regression.tflite"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    shutil.rmtree(options.output / "models", ignore_errors=True)
    (options.output / "models").mkdir(parents=True)
    convert_others(options.output / "models")
    models = []
    for name, how in MODELS.items():
        path = options.output / "models" / f"{name}.tflite"
        invoke("convert", *how, "--output", str(path))
        task = how[1]
        texts = asked(task, COUNT)
        model = Model(path, threads=2)  # as the command has it
        found = [answered(model, text) for text in texts]
        # The command takes a second to start: what it prints is looked at once.
        if found[0]["result"] != printed(path, texts[0]):
            raise RuntimeError(f"mbl run prints something else than {found[0]['result']}")
        models.append({"name": name, "task": task, "inspected": json.loads(invoke("inspect", str(path), "--json")),
                       "cases": found})
        print(f"{name}: {len(texts)} texts, {path.stat().st_size / 1e6:.2f} MB")
    app_request(options.output / "models" / "qa-old.tflite", options.output / "app")
    write_atomically(options.output / "models.json", json.dumps({"models": models}, ensure_ascii=False).encode())


if __name__ == "__main__":
    main()
