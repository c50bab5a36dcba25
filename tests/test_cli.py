"""The installed command ``mbl``, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import pytest
from commands import Done, mbl
from conftest import need_old_runtime

from mobilebert_lite import __version__
from mobilebert_lite.cli import COMMANDS, cli
from mobilebert_lite.cli.convert import command as convert_command
from mobilebert_lite.cli.convert import default_output
from mobilebert_lite.tflite import container as metadata

Converted = Callable[[str, str], Path]

MBL = Path(sys.executable).with_name("mbl")
QUESTION = ("--question", "how many cycles", "--context", "the battery should last four hundred cycles")


def installed(*arguments: object, environment: Mapping[str, str] | None = None) -> Done:
    """The command in a process of its own, where it matters how that starts."""
    return subprocess.run([MBL, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **(environment or {})})


def error_line(done: Done, code: int = 1) -> str:
    """The one ``Error: …`` line on stderr; lines of progress may stand before it."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("· ")]
    assert done.returncode == code, done
    assert done.stdout == ""
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


# Help

@pytest.mark.parametrize("arguments", [(), *[(command,) for command in COMMANDS]])
def test_help(arguments: tuple[str, ...]) -> None:
    done = installed(*arguments, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: mbl {' '.join(arguments)}".strip())
    if not arguments:
        assert all(f"  {command} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


def test_help_is_quick() -> None:
    """Half a second of a processor, however busy that is: nobody waits for TensorFlow to be told the options."""
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    started = spent()
    for _ in range(5):
        installed("--help")
    assert (spent() - started) / 5 < 0.5


def test_version() -> None:
    assert installed("--version").stdout == f"mbl, version {__version__}\n"


@pytest.mark.parametrize("arguments", [
    ("--help",), ("convert", "--help"), ("inspect", "MODEL"), ("run", "MODEL", *QUESTION)])
def test_commands_that_do_without_tensorflow(converted: Converted, arguments: tuple[str, ...]) -> None:
    given = [str(converted("qa", "int8")) if argument == "MODEL" else argument for argument in arguments]
    code = ("import sys\nfrom mobilebert_lite.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "finally: print('tensorflow' in sys.modules, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "False\n")


@pytest.mark.parametrize("arguments", [
    ("convert", "--task", "qa", "-o", "OUT/qa.tflite"),
    ("train", "--task", "classification", "--data", "OUT/data.tsv", "-o", "OUT/trained")])
def test_without_tensorflow_one_line_says_how_to_install_it(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Of commands that need it, where it was not installed."""
    (tmp_path / "data.tsv").write_text("sentence\tlabel\n" + "good\t1\nbad\t0\n" * 20, encoding="utf-8")
    code = "import sys\nsys.modules['tensorflow'] = None\nfrom mobilebert_lite.cli import main\nmain(sys.argv[1:])"
    given = [argument.replace("OUT", str(tmp_path)) for argument in arguments]
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, timeout=300)
    assert "converting and training need TensorFlow" in error_line(done)
    assert "pip install 'mobilebert-lite[convert]'" in done.stderr
    assert os.listdir(tmp_path) == ["data.tsv"]


# Usage

@pytest.mark.parametrize(("arguments", "message"), [
    (("frobnicate",), "No such command 'frobnicate'"),
    (("run",), "Missing argument 'MODEL'"),
    (("run", "x.tflite"), "give either --question and --context, or --text"),
    (("run", "x.tflite", "--question", "who"), "--question and --context go together"),
    (("run", "x.tflite", *QUESTION, "--text", "x"), "give either"),
    (("run", "x.tflite", "--text", "x", "--top", "0"), "0 is not in the range"),
    (("convert", "--seq-len", "long"), "'long' is neither whole numbers"),
    (("convert", "--bits", "8"), "No such option"),
    (("inspect", "--threads"), "No such option"),
])
def test_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    done = mbl(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


# Running

def test_run_answers(converted: Converted) -> None:
    done = mbl("run", converted("qa", "int8"), *QUESTION, "--json", "--top", 3)
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)
    assert len(answers) == 3
    for answer in answers:
        assert answer["text"] == (QUESTION[3][answer["start"]:answer["end"]] if answer["text"] else "")
    line = mbl("run", converted("qa", "int8"), *QUESTION).stdout
    assert line.count("\n") == 1
    assert f"score {answers[0]['score']:.2f}" in line


def test_dry_run(tiny_qa: Path, tmp_path: Path) -> None:
    """What would be decided, and no file."""
    output = tmp_path / "out.tflite"
    done = mbl("convert", "--weights", tiny_qa, "--seq-len", "32,48", "--dry-run", "--json", "-o", output)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["task"], plan["lengths"], plan["mode"], plan["ranges"]) == ("qa", [48, 32], "int8", "measured")
    assert set(plan["calibration"]["sequences"]) == {"qa_48", "qa_32"}
    told = mbl("convert", "--weights", tiny_qa, "--quantize", "none", "--dry-run", "-o", output)
    assert "\nlengths: 64\n" in told.stdout
    assert "\nranges: none needed\n" in told.stdout
    assert not output.exists()


def test_run_classifies(converted: Converted) -> None:
    labels = json.loads(mbl("run", converted("classification", "fp16"), "--text", "play that again", "--json").stdout)
    assert {label["name"] for label in labels} == {"music", "weather", "alarm", "none of these"}
    probabilities = [label["probability"] for label in labels]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    top = mbl("run", converted("classification", "fp16"), "--text", "-", "--top", 1, input="play that again")
    assert top.stdout == f"{labels[0]['name']}\t{probabilities[0]:.4f}\n"


def test_run_with_the_old_runtime(converted: Converted) -> None:
    """Float: the same to the digits that are printed."""
    need_old_runtime()
    new, old = (mbl("run", converted("qa", "none"), *QUESTION, environment={"MBL_INTERPRETER": name})
                for name in ("ai-edge-litert", "tflite-runtime"))
    assert (old.returncode, old.stderr) == (0, "")
    assert old.stdout == new.stdout
    refused = mbl("run", converted("qa", "dynamic"), *QUESTION, "--interpreter", "tflite-runtime")
    assert error_line(refused).startswith("tflite-runtime refuses the model: Didn't find op")


def test_long_texts(converted: Converted) -> None:
    """100 kB each: the question is cut, the context is read in windows."""
    text = ("the battery should last four hundred cycles. " * 3000)[:100_000]
    done = mbl("run", converted("qa", "int8"), "--question", text, "--context", "-", "--json", input=text)
    assert (done.returncode, done.stderr) == (0, "Warning: the question is longer than the model reads (its longest "
                                              "sequence has 48 tokens): the end of the question was left out\n")
    done = mbl("run", converted("qa", "int8"), "--question", "how many cycles", "--context", "-", "--json", input=text)
    answers = json.loads(done.stdout)
    assert answers[0]["text"] == text[answers[0]["start"]:answers[0]["end"]]
    done = mbl("run", converted("classification", "int8"), "--text", text, "--json")
    assert len(json.loads(done.stdout)) == 4


def test_special_tokens_in_a_text(converted: Converted) -> None:
    """They are tokens as in the reference; offsets still count the text's own characters."""
    context = "a [SEP] b [CLS] [MASK] [PAD] cat"
    done = mbl("run", converted("qa", "int8"), "--question", "[SEP] who", "--context", context, "--json", "--top", 5)
    for answer in json.loads(done.stdout):
        assert answer["text"] == (context[answer["start"]:answer["end"]] if answer["start"] >= 0 else "")


def test_inspect(converted: Converted) -> None:
    path = converted("classification", "int8")
    found = json.loads(mbl("inspect", path, "--json").stdout)
    assert found["bytes"] == path.stat().st_size
    assert [signature["name"] for signature in found["signatures"]] == [
        "classification_48", "classification_32", "serving_default"]
    assert found["files"].keys() == {"vocab.txt", "labels.txt"}
    assert found["provenance"]["task"] == "classification"
    text = mbl("inspect", path, "--all", environment={"COLUMNS": "200"}).stdout
    for part in ("classification_48", "FULLY_CONNECTED", "vocab.txt", '"recipe"', "INT8"):
        assert part in text


def test_inspect_is_short(converted: Converted) -> None:
    """What one asks first, in about twenty lines, with commands that are right."""
    path = converted("classification", "int8")
    done = mbl("inspect", path)
    lines = done.stdout.splitlines()
    assert len(lines) <= 20
    for part in ("int8", "classification_48: ids int32 [1, 48]", "XNNPACK", "1 partition(s)", "TFLite 2.17.0 or later",
                 "same answer as the float network", "vocab.txt", f'mbl run {path} --text "…"', "--all"):
        assert part in done.stdout
    assert "float16" not in done.stdout
    assert '"recipe"' not in done.stdout
    assert any(line.split()[:1] == ["float16"] for line in
               mbl("inspect", converted("classification", "fp16")).stdout.splitlines())


# What fails

@pytest.fixture(scope="module")
def files(converted: Converted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are no models of ours."""
    folder = tmp_path_factory.mktemp("files")
    content = converted("qa", "int8").read_bytes()
    (folder / "text.tflite").write_text("hello, I am a text")
    (folder / "empty.tflite").touch()
    (folder / "short.tflite").write_bytes(content[:1000])
    (folder / "random.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(range(256)) * 40)
    (folder / "bare.tflite").write_bytes(content[:content.rindex(b"PK\x03\x04")])
    return folder


@pytest.mark.parametrize(("arguments", "message"), [
    (("run", "absent.tflite", "--text", "x"), r"cannot read .*absent\.tflite: No such file"),
    (("run", ".", "--text", "x"), "Is a directory"),
    (("run", "text.tflite", "--text", "x"), r"text\.tflite is not a \.tflite"),
    (("run", "empty.tflite", "--text", "x"), r"is not a \.tflite"),
    (("run", "short.tflite", "--text", "x"), "damaged"),
    (("run", "random.tflite", "--text", "x"), "damaged|does not say which task"),
    (("run", "bare.tflite", *QUESTION), "carries no vocabulary"),
    (("run", "QA", "--text", "x"), "this model is for qa; give it --question and --context"),
    (("run", "CLASSIFIER", *QUESTION), "this model is for classification; give it --text"),
    (("run", "QA", "--question", "", "--context", "x"), "the question is empty"),
    (("run", "QA", "--question", "x", "--context", " "), "the context .* holds no words"),
    (("run", "CLASSIFIER", "--text", ""), "the text is empty"),
    (("inspect", "absent.tflite"), "No such file"),
    (("inspect", "text.tflite"), r"text\.tflite is not a \.tflite"),
    (("inspect", "short.tflite"), r"short\.tflite: the flatbuffer is damaged"),
    (("inspect", "random.tflite"), "damaged"),
])
def test_models_and_texts_that_cannot_be_used(converted: Converted, files: Path, arguments: tuple[str, ...],
                                              message: str) -> None:
    models = {"QA": converted("qa", "int8"), "CLASSIFIER": converted("classification", "int8")}
    done = mbl(*(models.get(argument, argument) for argument in arguments), cwd=files)
    assert re.search(message, error_line(done)), done.stderr


# Conversions that fail, by name: arguments (QA and CLASSIFIER stand for the checkpoints, OUT for a new file, IN for a
# folder of inputs) and the error.
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "vocabulary": (("--weights", "QA", "--vocab", "IN/short.txt", "-o", "OUT"),
                   "has 5 words, but the checkpoint's vocab_size is 270"),
    "no checkpoint": (("--weights", "./absent", "-o", "OUT"), "no checkpoint folder at ./absent"),
    "too long": (("--weights", "QA", "--seq-len", "65", "-o", "OUT"), "--seq-len 65 is above max_position_embeddings"),
    "too short": (("--weights", "QA", "--seq-len", "1", "-o", "OUT"), "--seq-len 1 is too short"),
    "head": (("--weights", "CLASSIFIER", "--task", "qa", "-o", "OUT"),
             "not trained for qa: it has no head for question answering"),
    "format": (("--weights", "QA", "--format", "tf1", "-o", "OUT"),
               "tiny_qa is not tf1; it looks like huggingface (model.safetensors)"),
    "config": (("--weights", "QA", "--config", "IN/absent.json", "-o", "OUT"), "no configuration at"),
    "folder": (("--weights", "QA", "-o", "IN"), "it is a folder; give a file name"),
    "no folder": (("--weights", "QA", "-o", "IN/absent/x.tflite"), "there is no folder"),
    "unwritable": (("--weights", "QA", "-o", "UNWRITABLE/x.tflite"), "cannot write"),
    "texts": (("--weights", "QA", "--calibration", "IN/absent.jsonl", "-o", "OUT"), "no data file at"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_conversions_that_are_refused(tiny_qa: Path, tiny_classifier: Path, tmp_path: Path, name: str) -> None:
    """With nothing new where the file was to be."""
    arguments, message = REFUSED[name]
    inputs, unwritable = tmp_path / "inputs", tmp_path / "unwritable"
    inputs.mkdir()
    unwritable.mkdir(mode=0o500)
    (inputs / "short.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    places = {"QA": tiny_qa, "CLASSIFIER": tiny_classifier, "IN": inputs, "OUT": tmp_path / "out.tflite",
              "UNWRITABLE": unwritable if os.geteuid() else Path("/proc")}

    def place(argument: str) -> str:
        first, *rest = argument.split("/")
        return str(places[first].joinpath(*rest)) if first in places else argument

    assert message in error_line(mbl("convert", *map(place, arguments)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inputs", "unwritable"]
    assert [path.name for path in inputs.iterdir()] == ["short.txt"]


def test_debug_shows_where_it_happened() -> None:
    """Before the same last line, wherever the option stands."""
    plain, *debug = (installed(*arguments) for arguments in (
        ("inspect", "absent"), ("--debug", "inspect", "absent"), ("inspect", "absent", "--debug")))
    for done in debug:
        assert done.returncode == 1
        assert done.stderr.startswith("Traceback")
        assert done.stderr.splitlines()[-1] == plain.stderr.strip()


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 64 kB, less than the smallest model here."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() or not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
                                                   capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root and the right to mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(tiny_qa: Path, full_disk: Path) -> None:
    """The old file stays; there is nothing new beside it."""
    output = full_disk / "model.tflite"
    output.write_bytes(b"before")
    done = mbl("convert", "--weights", tiny_qa, "--seq-len", 32, "--quantize", "none", "-o", output)
    assert "No space left on device" in error_line(done)
    assert [path.name for path in full_disk.iterdir()] == ["model.tflite"]
    assert output.read_bytes() == b"before"


def test_full_temporary_folder(tiny_qa: Path, full_disk: Path, tmp_path: Path) -> None:
    done = mbl("convert", "--weights", tiny_qa, "--seq-len", 32, "--quantize", "none", "-o", tmp_path / "model.tflite",
               environment={"TMPDIR": str(full_disk)})
    assert "set TMPDIR" in error_line(done)
    assert list(full_disk.iterdir()) == []
    assert not (tmp_path / "model.tflite").exists()


def test_full_output(converted: Converted) -> None:
    """/dev/full stands for a full disk under a redirected standard output."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([MBL, "inspect", converted("qa", "int8")], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "Error: standard output: No space left on device\n")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_what_an_encoding_lacks(converted: Converted, tmp_path: Path, encoding: str) -> None:
    """Names of files are bytes, and need not be UTF-8; what terminals show need not be either."""
    path = Path(os.fsdecode(bytes(tmp_path) + b"/m\xff\xe9 \xc3\xa9.tflite"))
    shutil.copy(converted("classification", "dynamic"), path)
    told, shown = (installed("inspect", path, *arguments, environment={"PYTHONIOENCODING": f"{encoding}:strict"})
                   for arguments in (("--json",), ()))
    assert (told.returncode, told.stderr, shown.returncode, shown.stderr) == (0, "", 0, "")
    assert json.loads(told.stdout)["bytes"] == path.stat().st_size
    assert r"m\udcff\udce9" in shown.stdout
    if encoding == "utf-8":  # click takes ASCII for a mistake
        assert json.loads(told.stdout)["path"] == str(path)
    data, report = tmp_path / "texts.jsonl", tmp_path / "report.json"
    data.write_text('{"text": "play it", "label": "music"}\n')
    assert mbl("eval", path, "--data", data, "--report", report).returncode == 0
    assert json.loads(report.read_text())["model"]["name"] == path.name


def test_closed_pipe(converted: Converted) -> None:
    """``mbl inspect … | head -1`` is no error to speak of."""
    process = subprocess.Popen([MBL, "inspect", converted("qa", "int8"), "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(300) == 1


@pytest.mark.parametrize(("stage", "number", "code", "message"), [
    pytest.param("building", signal.SIGINT, 130, "Error: interrupted; nothing was written", marks=pytest.mark.slow),
    ("verifying", signal.SIGINT, 130, "Error: interrupted; nothing was written"),
    ("building", signal.SIGTERM, 143, "Error: ended by SIGTERM; nothing was written")])
def test_interrupt(tiny_qa: Path, tmp_path: Path, stage: str, number: int, code: int, message: str) -> None:
    """Ctrl-C or a polite kill in the middle: the old output as it was, no temporary files anywhere."""
    temporary, output = tmp_path / "temporary", tmp_path / "out" / "model.tflite"
    temporary.mkdir()
    output.parent.mkdir()
    output.write_bytes(b"before")
    command = [MBL, "convert", "--weights", tiny_qa, "--seq-len", "32", "--quantize", "none", "-o", output]
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(temporary)})
    assert process.stderr is not None
    assert any(line.startswith(f"· {stage}") for line in process.stderr)
    process.send_signal(number)
    rest = process.stderr.read()
    assert process.wait(300) == code
    assert rest.splitlines()[-1] == message
    assert "Traceback" not in rest
    assert list(temporary.iterdir()) == []
    assert os.listdir(output.parent) == ["model.tflite"]
    assert output.read_bytes() == b"before"


# Conversions that succeed

def test_same_input_same_bytes(converted: Converted, tiny_qa: Path, tiny_questions: Path, tmp_path: Path) -> None:
    """In another process, with other hash seeds, at another time, under another name."""
    output = tmp_path / "model.tflite"
    done = installed("convert", "--weights", tiny_qa, "--seq-len", "48,32", "--quantize", "int8", "-o", output,
                     "--calibration", tiny_questions, environment={"PYTHONHASHSEED": "12345"})
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == converted("qa", "int8").read_bytes()
    assert done.stdout.startswith(f"{output}: ")
    assert "qa_48: same answer as the float network on" in done.stdout


def test_options_reach_the_file(tiny_classifier: Path, tmp_path: Path) -> None:
    """Texts and labels of one's own, a report, and a fusion rule switched off."""
    texts, labels, output, report = (tmp_path / name for name in ("texts.jsonl", "labels.txt", "m.tflite", "r.json"))
    texts.write_text("".join(json.dumps({"text": f"wake me up at {hour} in the morning"}) + "\n" for hour in range(9)))
    labels.write_text("a\nb\nc\nd\n")
    done = mbl("convert", "--weights", tiny_classifier, "--task", "text-classification", "--seq-len", 16, "--quantize",
               "dynamic", "--calibration", texts, "--labels", labels, "--no-fuse", "drop-key-bias", "--report", report,
               "--json", "-o", output)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == json.loads(report.read_text())
    assert (printed["output"], printed["bytes"], printed["task"]) == (
        str(output), output.stat().st_size, "classification")
    assert [result["texts"] for result in printed["verification"]] == [2]  # every fourth of nine
    provenance = metadata.read_provenance(output.read_bytes())
    assert printed["provenance"] == provenance
    assert provenance["calibration"]["texts"] == "texts.jsonl"
    assert {note["rule"]: note["applied"] for note in provenance["fusion"]}["drop-key-bias"] is False
    assert metadata.read_files(output.read_bytes())["labels.txt"] == b"a\nb\nc\nd\n"


def test_lengths_are_chosen_for_the_texts(tiny_qa: Path, tiny_questions: Path, tmp_path: Path) -> None:
    output = tmp_path / "auto.tflite"
    done = mbl("convert", "--weights", tiny_qa, "--seq-len", "auto:2", "--calibration", tiny_questions, "-o", output,
               "--quantize", "dynamic", "--json")
    assert done.returncode == 0, done.stderr
    longest, shorter = json.loads(done.stdout)["provenance"]["lengths"]
    assert shorter < longest
    assert shorter % 8 == 0


# Words that no option knows: the command, and what it says.
MISTYPED = (
    (("convert", "--task", "poetry"), "--task", "unknown task 'poetry'; known are qa, classification, token-"),
    (("convert", "--quantize", "int2"), "--quantize", "int8-full, int16x8, int4. Did you mean int"),
    (("convert", "--quantize", "int8:64"), "--quantize", "unknown quantization 'int8:64'"),
    (("convert", "--mask", "mask6"), "--mask", "unknown masking 'mask6'; known are additive"),
    (("convert", "--mask", "additive:5"), "--mask", "the constant must be a number below 0"),
    (("convert", "--format", "pytorch"), "--format", "unknown format 'pytorch'; known are huggingface, tf1"),
    (("convert", "--min-runtime", "new"), "--min-runtime", "'new' is not a runtime version such as 2.14.0"),
    (("convert", "--no-fuse", "all-of-it"), "--no-fuse", "unknown fusion rule 'all-of-it'; known are fold-query"),
    *((("convert", "--seq-len", value), "--seq-len", value) for value in ("auto:0", "auto:99", "auto:many", "64;32")),
    (("train", "--task", "poetry"), "--task", "unknown task 'poetry'"),
    (("train", "--quantize", "int2"), "--quantize", "unknown quantization 'int2'"),
    (("eval", "x.tflite", "--task", "poetry"), "--task", "unknown task 'poetry'"),
    (("eval", "x.tflite", "--interpreter", "onnx"), "--interpreter", "unknown interpreter 'onnx'; known are ai-edge-"),
    (("run", "x.tflite", "--interpreter", "onnx"), "--interpreter", "unknown interpreter 'onnx'"),
    (("inspect", "x.tflite", "--client", "nobody"), "--client", "unknown client 'nobody'; known are task-library"),
    (("inspect", "x.tflite", "--min-runtime", "new"), "--min-runtime", "'new' is not a runtime version"),
    (("export", "x", "--format", "pytorch"), "--format", "unknown format 'pytorch'"),
    (("bench", "x.tflite", "--device", "nokia"), "--device", "unknown device 'nokia'; known are host, any, "),
    (("bench", "x.tflite", "--interpreter", "onnx"), "--interpreter", "unknown interpreter 'onnx'"),
    (("android", "assets", "x.tflite", "--min-runtime", "new"), "--min-runtime", "'new' is not a runtime version"),
)


@pytest.mark.parametrize(("arguments", "option", "said"), MISTYPED)
def test_mistyped_words_are_usage_errors(arguments: tuple[str, ...], option: str, said: str) -> None:
    done = mbl(*arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: mbl ")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"Error: Invalid value for '{option}': ")
    assert said in last


@pytest.mark.parametrize(("option", "given", "expected"), [
    ("task", "QA", "qa"), ("task", "Question-Answering", "question-answering"), ("modes", "INT8-full", ("int8-full",)),
    ("format", "HuggingFace", "huggingface"), ("mask", "Additive:-120", "additive:-120"),
    ("lengths", "AUTO:4", ((), 4)), ("lengths", "64,32", ((64, 32), 0)), ("min_runtime", "2.14", "2.14")])
def test_words_in_any_case(option: str, given: str, expected: object) -> None:
    parameter = next(one for one in convert_command.params if one.name == option)
    assert parameter.type.convert(given, parameter, None) == expected


def test_words_are_completed() -> None:
    """As shells do, through what the command itself offers."""
    done = subprocess.run([MBL], capture_output=True, text=True, timeout=100, env={
        **os.environ, "_MBL_COMPLETE": "bash_complete", "COMP_WORDS": "mbl convert --task q", "COMP_CWORD": "3"})
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == ["qa", "question-answering"]


def test_help_shows_what_can_be_typed() -> None:
    """Words in the forms of options stand there in the case that is documented, and their parts are accepted."""
    shown = mbl("convert", "--help").stdout
    assert "LENGTH[,LENGTH…]|auto:K" in shown
    assert "AUTO" not in shown


@pytest.mark.parametrize(("weights", "task", "expected"), [
    (None, None, "mobilebert-qa-int8.tflite"), (None, "classification", "mobilebert-classification-int8.tflite"),
    ("models/snips/", None, "snips-int8.tflite"),
    ("google/mobilebert-uncased", "qa", "mobilebert-uncased-qa-int8.tflite")])
def test_default_name_of_the_file(weights: str | None, task: str | None, expected: str) -> None:
    assert str(default_output(weights, task, "int8")) == expected
