"""Files compiled by Qualcomm's compiler keep their answers in its simulator, and what would not is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from commands import mbl

from mobilebert_lite.conversion.compiling import CompileRequest, compile_files
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.conversion.reference import float_file
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.reading import builtin_examples
from mobilebert_lite.doctor.diagnose import diagnose
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.npu.compiler import compile_content
from mobilebert_lite.npu.session import SimulatedSession
from mobilebert_lite.npu.socs import find_soc
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite.container import read_provenance

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "suites"))
from rewrites import magnified

pytestmark = pytest.mark.npu

SOC, LENGTH, TEXTS = "sm8750", 32, 12


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled checkpoint, converted by the command: beside it lies the file for SOC."""
    path = tmp_path_factory.mktemp("npu") / "c.tflite"
    done = mbl("convert", "--task", "classification", "--seq-len", LENGTH, "--npu", "galaxys25", "-o", path, "--json")
    assert done.returncode == 0, done.stderr
    [compiled] = json.loads(done.stdout)["compiled"]
    assert compiled["output"] == str(path.with_name(f"c-{SOC}.tflite"))
    assert compiled["operators"] == compiled["taken"] > 100
    assert compiled["partitions"] == 1
    assert compiled["simulated"][0]["agreement"] >= 0.95
    return path


def on_npu(path: Path) -> Path:
    return path.with_name(f"{path.stem}-{SOC}.tflite")


def test_it_says_what_compiled_it_and_how_well_it_does(classifier: Path) -> None:
    said = read_provenance(on_npu(classifier).read_bytes())
    assert said["recipe"]["name"] == "int8"
    assert said["npu"]["compiler"].startswith("QAIRT 2.")
    assert said["npu"]["simulated"][f"classification_{LENGTH}"]["texts"] >= 8
    assert "npu" not in read_provenance(classifier.read_bytes())


def test_run_gives_the_answers_of_the_cpu(classifier: Path) -> None:
    text = "will it rain in lisbon tomorrow"
    there, here = (mbl("run", path, "--text", text, "--json", *more) for path, more in
                   ((on_npu(classifier), ("--npu", SOC)), (classifier, ())))
    assert "simulated: SM8750" in there.stderr
    first, second = (json.loads(done.stdout) for done in (there, here))
    assert first[0]["name"] == second[0]["name"] == "GetWeather"
    assert abs(first[0]["probability"] - second[0]["probability"]) < 0.02
    # A file that is not compiled is, first: in the form that it has, and rounded as that is.
    third = json.loads(mbl("run", classifier, "--text", text, "--json", "--npu", SOC).stdout)
    assert {one["name"]: one["probability"] for one in third} == pytest.approx(
        {one["name"]: one["probability"] for one in first}, abs=1e-3)
    assert "--npu sm8750" in mbl("run", on_npu(classifier), "--text", text).stderr
    assert "compiled for sm8750" in mbl("run", on_npu(classifier), "--text", text, "--npu", "sm8550").stderr


def test_eval_scores_without_times(classifier: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in (
        ("will it snow in amy", "GetWeather"), ("play some jazz", "PlayMusic"), ("rate this book five", "RateBook"),
        ("book a table for two", "BookRestaurant"))))
    report = tmp_path / "report.json"
    done = mbl("eval", on_npu(classifier), "--data", data, "--npu", SOC, "--workers", 2, "--report", report)
    assert done.returncode == 0, done.stderr
    assert "simulated: SM8750" in done.stdout
    assert " ms" not in done.stdout
    found = json.loads(report.read_text())
    assert found["metrics"]["accuracy"] == 100
    assert not found["timing"]["inference_ms"]
    assert not found["timing"]["example_ms"]
    assert "onnxruntime-qnn" in found["simulated"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled classifier with a stream as large as that of published checkpoints; the same function."""
    bundled = load_checkpoint(None, "classification")
    folder = tmp_path_factory.mktemp("npu") / "published"
    huggingface.save(magnified(bundled.weights, 3e4), folder, vocabulary=list(bundled.tokenizer.vocabulary))
    return folder


def answers(content: bytes, path: Path) -> list[str]:
    soc = find_soc(SOC)
    model = Model(path, content=content, session=lambda given: SimulatedSession(given, soc))
    return [model.classify(example.text)[0].name for example in texts()]


def texts() -> Sequence[object]:
    return builtin_examples("classification")[::5][:TEXTS]


def test_the_stock_graph_fails_silently_and_ours_does_not(published: Path, tmp_path: Path) -> None:
    """Float32 on the CPU gives all labels; compiled, the same graph gives wrong ones, with no error and no NaN."""
    checkpoint = load_checkpoint(str(published), "classification")
    stock = tmp_path / "stock.tflite"
    stock.write_bytes(float_file(checkpoint, find_task("classification"), [LENGTH]))
    wanted = [Model(stock).classify(example.text)[0].name for example in texts()]
    ours = convert(ConvertRequest(tmp_path / "ours.tflite", str(published), task="classification", lengths=(LENGTH,),
                                  npu=(SOC,)))
    stock_right, ours_right = (sum(map(str.__eq__, wanted, answers(Path(path).read_bytes(), path))) for path in
                               (stock, ours.compiled[0].output))
    print(f"right of {TEXTS} labels on {SOC}: the stock graph {stock_right}, ours {ours_right}")
    assert ours_right >= TEXTS - 1
    assert stock_right <= TEXTS // 2
    [found] = diagnose(stock, (f"npu:{SOC}",)).errors
    assert "float16" in found.what
    assert not diagnose(tmp_path / "ours.tflite", (f"npu:{SOC}",)).findings


def test_what_would_not_run_whole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.tflite"
    convert(ConvertRequest(path, task="classification", lengths=(LENGTH,), quantize="int16x8"))
    with pytest.raises(ConversionError, match=r"would leave \d+ of \d+ operators to the CPU: .* in "):
        compile_files(CompileRequest(path, ("sm8450",)))
    assert [one.name for one in tmp_path.iterdir()] == ["wide.tflite"]
    [made] = compile_files(CompileRequest(path, ("sm8450",), allow_partial=True)).files
    assert made.compiled.left
    assert made.compiled.partitions > 1
    # Held to the answers of the CPU all the same, the parts on the CPU among them.
    assert made.verification[0].agreement >= 0.95
    assert any(one.severity == "warning" for one in diagnose(path, ("npu:sm8450",)).findings)


def test_old_processors_get_integers(tmp_path: Path) -> None:
    """Without --quantize the mode is one that the processor takes; another one is refused with the compiler's words."""
    done = mbl("convert", "--task", "classification", "--seq-len", LENGTH, "--npu", "sm8350", "-o",
               tmp_path / "old.tflite", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["provenance"]["recipe"]["name"] == "int8-full"
    done = mbl("convert", "--task", "classification", "--seq-len", LENGTH, "--npu", "sm8350", "--quantize", "none",
               "-o", tmp_path / "float.tflite")
    assert done.returncode == 1
    assert "Gather" in done.stderr
    assert not (tmp_path / "float.tflite").exists()


def test_question_answering(tmp_path: Path) -> None:
    path = tmp_path / "q.tflite"
    report = convert(ConvertRequest(path, task="qa", lengths=(64,), npu=(SOC,)))
    [made] = report.compiled
    assert made.compiled.is_whole
    soc = find_soc(SOC)
    model = Model(made.output, session=lambda content: SimulatedSession(content, soc))
    best = model.answer("Who is the artist?", "Add Sabrina Salerno to the Grime Instrumentals playlist.")[0]
    assert best.text == "Sabrina Salerno"


def test_24_layers_at_128_tokens(shared: Callable[..., Path], tmp_path: Path) -> None:
    """Half the nodes of the stock graph. In float: the simulator takes a quarter of the time that it takes for int8."""
    weights = str(shared("checkpoints", "trained", "sst2"))
    report = convert(ConvertRequest(tmp_path / "s.tflite", weights, lengths=(128,), quantize="none", npu=(SOC,)))
    [made] = report.compiled
    stock = compile_content(float_file(load_checkpoint(weights, None), find_task("classification"), [128]),
                            find_soc(SOC))
    ours, theirs = (sum(one.nodes.values()) for one in (made.compiled, stock))
    print(f"24 layers at 128 tokens: {ours} nodes and {made.compiled.steps} steps, the stock graph {theirs} and "
          f"{stock.steps}; {len(made.content) / 1e6:.1f} MB, {made.verification}")
    assert made.compiled.is_whole
    assert ours <= theirs / 2
    assert made.compiled.steps < stock.steps
    assert np.isclose(made.verification[0].agreement, 1, atol=0.1)
