"""`mbl train` as users run it, on texts whose label is a word they hold."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from commands import mbl

from mobilebert_lite import cli
from mobilebert_lite.architecture.config import MobileBertConfig, to_huggingface
from mobilebert_lite.converters.tokenizers import reading as tokenizer_files
from mobilebert_lite.errors import DataError, MblError

MBL = Path(sys.executable).with_name("mbl")
CLUES = {"music": ("play", "song"), "weather": ("rain", "sun")}
FILLERS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "mu", "nu", "xi",
           "pi", "rho", "sigma", "tau")
# Without XLA, in one thread: short, and the same to the bit.
FAST = ("--no-jit", "--threads", "1", "--vocab-size", "250", "--seq-len", "32", "--batch-size", "32")


# Sentences that scores are measured on.
JUDGED = 60
# Points of a score that are one of them: what a training gives to the last sentence, and what another program makes of
# a near tie, is a matter of rounding.
ONE = 100 / JUDGED + 0.1


def sentences(count: int, seed: int) -> list[tuple[str, str, str]]:
    """(text, label, the word that tells it)."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        words = [rng.choice(FILLERS) for _ in range(rng.randint(2, 12))]
        label = rng.choice(list(CLUES))
        clue = rng.choice(CLUES[label])
        words.insert(rng.randrange(len(words)), clue)
        found.append((f"{' '.join(words)} n{i}", label, clue))
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, tiny_config: MobileBertConfig) -> Path:
    """A folder with the same sentences as a table, a BIO file and SQuAD questions, and a configuration."""
    folder = tmp_path_factory.mktemp("data")
    config = replace(tiny_config, classifier_activation=False, attention_probs_dropout_prob=0.0)
    (folder / "tiny.json").write_text(json.dumps(to_huggingface(config)), encoding="utf-8")
    for split, count, seed in (("train", 400, 0), ("dev", JUDGED, 1)):
        rows = sentences(count, seed)
        (folder / f"{split}.csv").write_text("text,label\n" + "".join(
            f'"{text}, yes",{label}\n' for text, label, _ in rows), encoding="utf-8")
        (folder / f"{split}.bio").write_text("\n".join("".join(
            f"{word} {'B-' + label if word == clue else 'O'}\n" for word in text.split())
            for text, label, clue in rows), encoding="utf-8")
        paragraphs = [{"context": text, "qas": [{"id": f"{split}{i}", "question": "which word", "answers": [
            {"text": clue, "answer_start": f" {text} ".index(f" {clue} ")}]}]}
            for i, (text, _, clue) in enumerate(rows)]
        (folder / f"{split}.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return folder


def arguments(data: Path, output: Path, kind: str = "csv", task: str = "classification", **options: Any) -> list[str]:
    extra = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    return ["train", "--task", task, "--config", str(data / "tiny.json"), "--data", str(data / f"train.{kind}"),
            "--eval", str(data / f"dev.{kind}"), "--output", str(output), *FAST, *extra]


def weights_of(output: Path) -> bytes:
    return (output / "model.safetensors").read_bytes()


def learn(data: Path, output: Path, kind: str, task: str) -> dict[str, Any]:
    """Train until nearly everything is right; metrics.json."""
    done = mbl(*arguments(data, output, kind, task, epochs=8, learning_rate=5e-3), "--json")
    assert done.returncode == 0, done.stderr
    assert "training: " in done.stderr  # progress with the time left
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["score"] > 95
    return report


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A classifier and its metrics.json."""
    output = tmp_path_factory.mktemp("trained") / "classifier"
    return output, learn(data, output, "csv", "classification")


def check_file(data: Path, trained: Path, report: dict[str, Any], kind: str) -> None:
    """What was learnt is there after conversion, by another program's path to the score."""
    file = trained.with_suffix(".tflite")
    converted = mbl("convert", "--weights", str(trained), "--quantize", "none", "--seq-len", "32", "-o", str(file),
                    "--calibration", str(data / f"dev.{kind}"))
    assert converted.returncode == 0, converted.stderr
    scored = json.loads(mbl("eval", str(file), "--data", str(data / f"dev.{kind}"), "--json").stdout)
    assert scored["score"]["value"] == pytest.approx(report["score"], abs=ONE)
    assert scored["metrics"] == pytest.approx(report["metrics"], abs=ONE)


def test_a_classifier_is_learnt(data: Path, trained: tuple[Path, dict[str, Any]]) -> None:
    output, report = trained
    assert report["metric"] == "accuracy"
    assert sorted(path.name for path in output.iterdir()) == [
        "config.json", "logs", "metrics.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
    assert report["options"]["data"] == str(data / "train.csv")
    check_file(data, output, report, "csv")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "task", "metric"), [("bio", "token-classification", "f1"), ("json", "qa", "f1")])
def test_other_tasks_are_learnt(data: Path, tmp_path: Path, kind: str, task: str, metric: str) -> None:
    report = learn(data, tmp_path / "trained", kind, task)
    assert report["metric"] == metric
    check_file(data, tmp_path / "trained", report, kind)


def test_logs_hold_the_curve(trained: tuple[Path, dict[str, Any]]) -> None:
    """TensorBoard's file has the points of metrics.json."""
    import tensorflow as tf

    output, report = trained
    [events] = (output / "logs").iterdir()
    curve = {}
    for record in tf.data.TFRecordDataset(str(events)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            curve[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for point in report["history"]:
        assert curve["train/loss", point["step"]] == pytest.approx(point["loss"], rel=1e-5)
    assert curve["eval/accuracy", report["step"]] == pytest.approx(report["score"], rel=1e-5)


def test_fine_tuning_begins_where_training_ended(data: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path
                                                 ) -> None:
    """Going on keeps the score, the vocabulary and the tokenizer's settings; a new set of labels gets a new head."""
    output, report = trained
    options = ("--weights", str(output), "--epochs", "1", "--no-jit", "--json")
    after = mbl("train", *options, "--data", str(data / "train.csv"), "--eval", str(data / "dev.csv"),
                "--output", str(tmp_path / "again"))
    assert after.returncode == 0, after.stderr
    again = json.loads(after.stdout)
    assert again["history"][0] == {"step": 0, **{f"eval/{name}": pytest.approx(value, rel=1e-5)
                                                for name, value in report["metrics"].items()}}
    assert again["score"] >= report["score"] - ONE
    assert again["history"][1]["loss"] < 0.3
    assert (tmp_path / "again" / "vocab.txt").read_bytes() == (output / "vocab.txt").read_bytes()
    other = tmp_path / "other.csv"
    other.write_text((data / "dev.csv").read_text().replace(",music", ",one").replace(",weather", ",two"))
    told = shutil.copytree(output, tmp_path / "told")
    (told / "tokenizer_config.json").write_text(json.dumps({
        "do_lower_case": True, "strip_accents": False, "mask_token": {"content": "[MASK]", "lstrip": True}}))
    new = mbl("train", *options, "--weights", str(told), "--data", str(other), "--output", str(tmp_path / "new"))
    assert new.returncode == 0, new.stderr
    before, after = (tokenizer_files.read(tokenizer_files.find(folder)) for folder in (told, tmp_path / "new"))
    assert not after.settings.strip_accents
    assert (after.words, after.settings) == (before.words, before.settings)
    assert json.loads(new.stdout)["history"][1]["loss"] > 0.6
    config = json.loads((tmp_path / "new" / "config.json").read_text())
    assert config["id2label"] == {"0": "one", "1": "two"}
    finished = mbl("train", "--resume", str(tmp_path / "new"))
    assert finished.returncode == 1
    assert finished.stderr.startswith("Error: the training in")


def test_a_training_that_gains_nothing(data: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """It stops after --patience evaluations, and what it began with stays."""
    output, report = trained
    done = mbl("train", "--weights", str(output), "--data", str(data / "train.csv"), "--eval", str(data / "dev.csv"),
               "--epochs", "4", "--eval-every", "3", "--patience", "2", "--learning-rate", "0.3", "--no-jit",
               "--output", str(tmp_path / "worse"), "--json")
    assert done.returncode == 0, done.stderr
    after = json.loads(done.stdout)
    assert (after["steps"], after["step"], after["score"]) == (6, 0, report["score"])
    assert "no step scored better than what the training began with" in done.stderr
    assert weights_of(tmp_path / "worse") == weights_of(output)


@pytest.fixture(scope="module")
def unbroken(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with all that is random in it, left alone; it grows by a layer half way."""
    output = tmp_path_factory.mktemp("unbroken") / "run"
    done = mbl(*arguments(data, output, **RANDOM))
    assert done.returncode == 0, done.stderr
    return output


RANDOM = {"epochs": 4, "dropout": 0.1, "token_dropout": 0.1, "position_shift": 0.5, "save_every": 7, "eval_every": 11,
          "stack": 1, "batch_size": 16}


@pytest.mark.parametrize("signals", [
    (signal.SIGKILL, signal.SIGINT), pytest.param((signal.SIGTERM, signal.SIGKILL), marks=pytest.mark.slow)],
    ids=["killed, then Ctrl-C", "ended, then killed"])
def test_resumed_is_unbroken(data: Path, tmp_path: Path, unbroken: Path, signals: Sequence[int]) -> None:
    """The same weights to the bit, the same curve, however often it was stopped and by what."""
    output = tmp_path / "run"
    command = arguments(data, output, **RANDOM)
    for i, number in enumerate(signals):  # in the first layer's steps, then in those of two
        said = stop(command, number, output, at=8 + 45 * i)
        if number == signal.SIGKILL:
            assert not (output / "model.safetensors").exists()
        else:
            assert f"go on with: mbl train --resume {output}" in said
            assert "Traceback" not in said
        command = ["train", "--resume", str(output)]
    done = mbl(*command)
    assert done.returncode == 0, done.stderr
    assert weights_of(output) == weights_of(unbroken)
    histories = [json.loads((folder / "metrics.json").read_text())["history"] for folder in (output, unbroken)]
    assert histories[0] == histories[1]
    assert histories[0][-1]["step"] == 100
    assert "going on after step" in done.stderr
    assert not (output / "training").exists()


def stop(command: list[str], number: int, output: Path, at: int) -> str:
    """Send the signal once a state after step ``at`` is saved; returns stderr."""
    process = subprocess.Popen([MBL, *command], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while saved_step(output) < at and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be stopped"
        time.sleep(0.1)
    process.send_signal(number)
    said = process.communicate(timeout=100)[1]
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    return said


def saved_step(output: Path) -> int:
    from mobilebert_lite.errors import CheckpointError
    from mobilebert_lite.training import states

    try:
        return states.load(output / states.FOLDER)[1].step
    except CheckpointError:
        return 0


def losses(output: Path) -> list[float]:
    return [point["loss"] for point in json.loads((output / "metrics.json").read_text())["history"]]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.slow
def test_two_processes_train_as_one(data: Path, tmp_path: Path) -> None:
    """Every loss is that of one process with the same batches; float32 sums in another order differ by 1e-6."""
    assert mbl(*arguments(data, tmp_path / "one", epochs=2)).returncode == 0
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    processes = [subprocess.Popen(
        [MBL, *arguments(data, tmp_path / "two", epochs=2)], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})})
        for i in range(2)]
    for process in processes:
        said = process.communicate(timeout=500)[1]
        assert process.returncode == 0, said
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    assert len(losses(tmp_path / "one")) > 5


def test_two_devices_train_as_one(data: Path) -> None:
    """Two replicas in one process: the gradient of uneven shares of the labels is that of the whole batch."""
    subprocess.run([sys.executable, Path(__file__).with_name("replicas.py"), data], check=True, timeout=400)


def test_findings_are_reported(data: Path, tmp_path: Path) -> None:
    leaking = tmp_path / "leaking.csv"
    leaking.write_text("".join((data / "train.csv").read_text().splitlines(keepends=True)[:9]))
    command = arguments(data, tmp_path / "out", epochs=0.1)
    command[command.index("--eval") + 1] = str(leaking)
    done = mbl(*command, "--json")
    assert done.returncode == 0
    assert "data: 8 of 8" in done.stderr
    assert json.loads(done.stdout)["findings"][0]["kind"] == "leakage"


def table(*rows: tuple[str, str]) -> str:
    return "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)


def question(answer: str, start: int) -> str:
    return json.dumps({"data": [{"paragraphs": [{"context": "the cat sat", "qas": [
        {"id": "7", "question": "who", "answers": [{"text": answer, "answer_start": start}]}]}]}]})


CLEAN = tuple((f"word{i} and more", "ab"[i % 2]) for i in range(30))
NEW = table(("something else", "a"), ("and again", "b"))


@pytest.mark.parametrize(("task", "train", "dev", "message"), [
    ("classification", table(*CLEAN), table(("Word3  AND more", "b"), ("new", "a")),
     "1 of 2 examples of eval (50.0 %) also occur in data, such as 'word3 and more'"),
    ("classification", table(*CLEAN, ("word4 and more", "b")), NEW, "1 texts stand there with different labels"),
    ("classification", table(*CLEAN, CLEAN[0]), NEW, "1 of 31 training examples repeat another"),
    ("classification", table(*CLEAN, *((f"many {i}", "a") for i in range(200))), NEW, "label 'a' has 215 examples"),
    ("classification", table(*CLEAN, ("seldom", "c"), ("rarely", "c")), NEW, "fewer than 5 examples of c"),
    ("classification", table(*CLEAN), table(("new", "z"), ("newer", "a")),
     "eval has labels without a training example: z"),
    ("classification", table(*((f"{text} {'long ' * 60}", label) for text, label in CLEAN)), NEW,
     "30 of 30 texts fill or exceed 32 tokens"),
    ("qa", question("dog", 4), question("cat", 4).replace("who", "which"), "1 questions of data have an answer that"),
    ("qa", question("cat", 4), question("cat", 5).replace("who", "which"), "1 questions of eval have an answer that"),
], ids=["leakage", "contradiction", "duplicates", "imbalance", "rare", "unseen", "length", "answer", "answer in eval"])
def test_strict_fails(data: Path, tmp_path: Path, task: str, train: str, dev: str, message: str,
                      monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check from the command line, before anything is trained or written."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    suffix = "json" if task == "qa" else "tsv"
    for name, text in (("train", train), ("dev", dev)):
        (tmp_path / f"{name}.{suffix}").write_text(text)
    (tmp_path / "tiny.json").write_text((data / "tiny.json").read_text())
    with pytest.raises(DataError, match=r"and --strict: ") as failed:
        run_here(*arguments(tmp_path, tmp_path / "out", suffix, task), "--strict")
    assert message in str(failed.value)
    assert not (tmp_path / "out").exists()


def test_empty_texts_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text(table(*CLEAN, ("  ", "a")))
    (tmp_path / "dev.tsv").write_text(NEW)
    (tmp_path / "tiny.json").write_text((data / "tiny.json").read_text())
    with pytest.raises(DataError, match=r"train\.tsv.*32"):
        run_here(*arguments(tmp_path, tmp_path / "out", "tsv"))


def run_here(*command: str) -> None:
    """The command in this process, for what ends before TensorFlow starts."""
    cli.cli.main(list(command), prog_name="mbl", standalone_mode=False)


@pytest.mark.parametrize(("change", "code", "message"), [
    (lambda command: command[:1], 2, "--data and --output are needed"),
    (lambda command: [*command, "--stack", "5"], 1, "stack is [5]; it must rise, and stay below the 2 layers"),
    (lambda command: [*command, "--seq-len", "500"], 1, "seq_len is 500, but the network has positions for 64"),
    (lambda command: [*command, "--weights", "nowhere/at/all"], 1, "a configuration is for networks from scratch"),
    (lambda command: [*command, "--problem", "regression"], 1, "is no number, which regression needs"),
    (lambda command: [*command, "--distribute", "workers"], 1, "TF_CONFIG names none"),
    (lambda command: ["train", "--resume", "nowhere"], 1, "no training to resume in nowhere"),
    (lambda command: [*command, "--resume", "nowhere"], 2, "leave out --task, --data"),
    (lambda command: [*command, "--token-dropout", "1.5"], 2, "1.5 is not in the range 0<=x<=0.99"),
], ids=["nothing", "stack", "length", "two starts", "regression", "workers", "resume", "resume more", "share"])
def test_refusals(data: Path, tmp_path: Path, change: Callable[[list[str]], list[str]], code: int, message: str,
                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(click.UsageError if code == 2 else MblError) as refused:
        run_here(*change(arguments(data, tmp_path / "out")))
    assert message in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_an_output_in_use_is_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    refused = mbl(*arguments(data, tmp_path / "out"))
    assert refused.returncode == 1
    assert "is there already, and not empty" in refused.stderr
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
