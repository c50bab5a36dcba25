"""Wrong files are diagnosed by name, the mends that --fix claims are made, and good files are found good."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import wrong_files as wrong
from click.testing import CliRunner
from conftest import LABELS, ROOT
from wrong_cases import AS_IT_IS, WRONG, Wrong, hostile_to_gpus

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.cli.inspect import command
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.doctor.diagnose import ANDROID, CLIENTS, PACKAGE_CHECKS, Diagnosis, diagnose, diagnose_content
from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, NOTE
from mobilebert_lite.doctor.fix import compare, mend
from mobilebert_lite.errors import DataError, ModelFileError, RepairError, RequestError
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

LENGTH = 384


@pytest.fixture(scope="module")
def narrow(tiny_config: MobileBertConfig) -> MobileBertConfig:
    """One block that reads as many tokens as clients write."""
    return replace(tiny_config, num_hidden_layers=1, max_position_embeddings=LENGTH)


@pytest.fixture(scope="module")
def files(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str], tiny_questions: Path,
          tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Ours (qa, classification), TensorFlow's (stock …), ai-edge-quantizer's of the latter (quantized)."""
    from ai_edge_quantizer import quantizer, recipe

    folder = tmp_path_factory.mktemp("doctor")
    weights = {"qa": random_weights(narrow, {"qa": 2}, seed=15),
               "classification": random_weights(narrow.with_labels(LABELS), {"classifier": len(LABELS)}, pooler=True)}
    found = {}
    for task, length in (("qa", LENGTH), ("classification", 32)):
        huggingface.save(weights[task], folder / task, vocabulary=tiny_vocabulary)
        convert(ConvertRequest(folder / f"{task}.tflite", str(folder / task), lengths=(length,), quantize="none",
                        calibration=tiny_questions if task == "qa" else None))
        found[task] = (folder / f"{task}.tflite").read_bytes()
    network = Network(narrow, weights["qa"].tensors, find_task("qa"))
    # Half of each text is padding, so that calibration sees the mask constant.
    half = np.array([[1] * (LENGTH // 2) + [0] * (LENGTH // 2)], np.int32)
    for mode in ("float", "dynamic", "int8"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([network.signature(LENGTH)], network)
        if mode != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if mode == "int8":
            converter.representative_dataset = lambda: iter([[half * 7, half, half * 0]] * 3)
        found[f"stock {mode}"] = converter.convert()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.signature(LENGTH)], network)
    converter._experimental_use_buffer_offset = True
    found["outside"] = converter.convert()
    quantize = quantizer.Quantizer(bytearray(found["stock float"]))
    quantize.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    found["quantized"] = bytes(quantize.quantize().quantized_model)
    found["hostile to GPUs"] = hostile_to_gpus(folder)
    return found


def named(found: Diagnosis, case: Wrong) -> list[str]:
    """What the check that ``case`` is about says."""
    return [one.what for one in found.findings if (one.check, one.severity) == (case.check, case.severity)]


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_named(files: dict[str, bytes], name: str) -> None:
    case = WRONG[name]
    found = diagnose_content(case.edit(files[case.base]), name, [case.client], case.runtime)
    said = named(found, case)
    assert any(re.search(case.says, what) for what in said), found.findings
    assert found.fits[case.client] is (ERROR not in {one.severity for one in found.findings})
    assert all(bool(one.fix) is case.fixed for one in found.findings if one.what in said)
    if case.edit is not AS_IT_IS:  # it is the edit that is named, and nothing that was there before
        assert not named(diagnose_content(files[case.base], case.base, [case.client], case.runtime), case)


@pytest.mark.parametrize("name", [name for name, case in WRONG.items() if case.fixed])
def test_what_fix_claims_it_mends(files: dict[str, bytes], name: str) -> None:
    case = WRONG[name]
    before = case.edit(files[case.base])
    wanted = {one.fix for one in diagnose_content(before, name, [case.client]).findings if one.fix}
    original = metadata.read_files(files[case.base])
    after, applied, skipped = mend(before, {str(fix) for fix in wanted}, {one: original[one] for one in case.given})
    assert (set(applied), skipped) == (wanted, {})
    found = diagnose_content(after, name, [case.client])
    assert not named(found, case)
    assert not [one for one in found.findings if one.fix]
    # What was right before is right still: the file computes the same, and carries what it carried.
    assert compare(before, after) == (True, "")
    assert {**metadata.read_files(before), **{one: original[one] for one in case.given}} == metadata.read_files(after)
    if case.base in ("qa", "classification"):
        assert metadata.read_provenance(after) == metadata.read_provenance(files[case.base])
        assert found.fits[case.client]


def test_every_check_is_shown() -> None:
    """By a wrong file above or in a package below; one without would never be known to work."""
    shown = {(case.client, case.check) for case in WRONG.values()}
    assert shown == {(name, check.name) for name, client in CLIENTS.items() for check in client.checks}


def test_our_own_files_are_clean(files: dict[str, bytes], converted: Callable[[str, str], Path]) -> None:
    for task, clients in (("qa", ("task-library", "mlperf")), ("classification", ("task-library", "mediapipe"))):
        found = diagnose_content(files[task], task, [*clients, "litert", "gpu"])
        assert all(found.fits.values())
        assert {one.severity for one in found.findings} <= {NOTE}
    for mode, client in (("int8", "litert"), ("dynamic", "litert"), ("dynamic", "gpu")):
        found = diagnose(converted("classification", mode), [client])
        assert {one.severity for one in found.findings} <= {NOTE}, mode


def test_a_stock_file(files: dict[str, bytes]) -> None:
    """Of TensorFlow's converter: inputs in the order of letters, no metadata; fit for a client once both are there."""
    found = diagnose_content(files["stock float"], "stock", ["task-library", "mlperf"])
    assert {(one.client, one.check) for one in found.errors} == {
        ("task-library", "metadata"), ("task-library", "order"), ("mlperf", "order")}
    words = metadata.read_files(files["qa"])[metadata.VOCABULARY]
    after, applied, _ = mend(files["stock float"], {"metadata", "order"}, {metadata.VOCABULARY: words})
    assert applied == ["order", "metadata"]
    assert diagnose_content(after, "mended", ["task-library", "mlperf"]).fits == {"task-library": True, "mlperf": True}
    assert compare(files["stock float"], after) == (True, "")


def test_the_runtime_that_is_needed_is_the_one_tensorflow_states(files: dict[str, bytes]) -> None:
    """Its converter looks up the same versions, also of operators that no file of ours has."""
    for name in ("stock float", "stock dynamic", "stock int8", "hostile to GPUs"):
        found = Facts(files[name])
        assert found.accepting_runtime == found.stamped_runtime
        assert not [one for one in diagnose_content(files[name], name, ["litert"]).findings if "not known" in one.what]


def test_metadata_without_a_vocabulary_are_not_written(files: dict[str, bytes]) -> None:
    after, applied, skipped = mend(files["stock float"], {"metadata"}, {})
    assert after == files["stock float"]
    assert applied == []
    assert "--vocab" in skipped["metadata"]


# Name -> file and edit, for what a runtime of 2.14 says to them.
OLD_AND_NEW: dict[str, tuple[str, wrong.Edit]] = {
    **{base: (base, AS_IT_IS) for base in ("qa", "stock dynamic", "stock int8", "quantized", "outside")},
    **{f"{name} {number}": ("qa", wrong.version(name, number)) for name, numbers in (
        ("TRANSPOSE", (6, 7)), ("SLICE", (5, 6)), ("CONCATENATION", (4,)), ("CAST", (5, 6)),
        ("FULLY_CONNECTED", (10, 11)))
       for number in numbers}}


def test_runtime_verdicts_are_those_of_the_runtime(files: dict[str, bytes], tmp_path: Path) -> None:
    """tflite-runtime 2.14 loads what --min-runtime 2.14 says that it loads; in a process of its own, as its library and
    that of its successor do not live in one."""
    verdicts = {}
    for name, (base, edit) in OLD_AND_NEW.items():
        content = edit(files[base])
        (tmp_path / name).write_bytes(content)
        errors = diagnose_content(content, name, ["litert"], "2.14").errors
        verdicts[name] = not any(one.check == "runtime" for one in errors)
    code = ("import json, sys; from tflite_runtime.interpreter import Interpreter; found = {}\n"
            "for path in sys.argv[1:]:\n"
            "    try: found[path] = bool(Interpreter(model_path=path))\n"
            "    except ValueError as error: found[path] = 'builtin opcode' not in str(error)\n"
            "print(json.dumps(found))")
    done = subprocess.run([sys.executable, "-c", code, *verdicts], capture_output=True, text=True, check=True,
                          cwd=tmp_path, timeout=300)
    assert json.loads(done.stdout) == verdicts
    assert set(verdicts.values()) == {True, False}


# Packages

def elf(*alignments: int) -> bytes:
    """A 64-bit library of nothing but LOAD segments, and one segment of another kind."""
    import struct

    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 183, 1, 0, 64, 0, 0, 64, 56,
                                                             len(alignments) + 1, 0, 0, 0)
    loads = [struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0, 0, align) for align in alignments]
    return header + struct.pack("<IIQQQQQQ", 4, 4, 0, 0, 0, 0, 0, 8) + b"".join(loads)


def package(path: Path, entries: dict[str, tuple[bytes, int, int]]) -> Path:
    """A zip of name -> (data, method, alignment of the data in it)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (data, method, align) in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            at = archive.fp.tell() + 30 + len(name)  # type: ignore[union-attr]
            pad = -at % align
            # An extra field needs four bytes of its own.
            pad += align * -(-(4 - pad) // align) if 0 < pad < 4 else 0
            info.extra = b"\x35\xd9" + (pad - 4).to_bytes(2, "little") + bytes(pad - 4) if pad else b""
            archive.writestr(info, data)
    return path


STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
GOOD_LIBRARY, MODEL = (elf(16384, 65536), STORED, 16384), "assets/model.tflite"


@pytest.mark.parametrize(("name", "entries", "check", "says"), [
    ("app.apk", {"lib/arm64-v8a/libx.so": (elf(16384, 4096), STORED, 16384)}, "page-size", "aligned to 4096 bytes"),
    ("app.apk", {"lib/arm64-v8a/libx.so": (elf(16384), STORED, 4096)}, "page-size", "no multiple of 16384"),
    ("app.apk", {"lib/x86_64/libx.so": (b"text", DEFLATED, 4)}, "page-size", "no ELF library"),
    ("lib.aar", {"jni/arm64-v8a/libx.so": (elf(4096), DEFLATED, 4)}, "page-size", "aligned to 4096 bytes"),
    ("app.apk", {"lib/arm64-v8a/libx.so": GOOD_LIBRARY, MODEL: (b"", DEFLATED, 4)}, "models", "it is compressed"),
    ("app.apk", {MODEL: (b"no model", STORED, 4)}, "models", "it is no .tflite"),
])
def test_wrong_packages_are_named(files: dict[str, bytes], tmp_path: Path, name: str,
                                  entries: dict[str, tuple[bytes, int, int]], check: str, says: str) -> None:
    filled = {entry: (data or files["qa"], *rest) for entry, (data, *rest) in entries.items()}
    found = diagnose(package(tmp_path / name, filled), ["litert"])  # type: ignore[arg-type]
    assert [(one.client, one.check) for one in found.errors] == [(ANDROID, check)]
    assert says in found.errors[0].what
    assert found.fits[ANDROID] is False


def test_a_good_package(files: dict[str, bytes], tmp_path: Path) -> None:
    """And one whose 32-bit library, or whose AAR's offset, is of no account; the model in it is checked too."""
    good = {"lib/arm64-v8a/libx.so": GOOD_LIBRARY, "lib/armeabi-v7a/libx.so": (elf(4096), STORED, 4),
            "lib/arm64-v8a/libz.so": (elf(16384), DEFLATED, 4), MODEL: (files["qa"], STORED, 4)}
    found = diagnose(package(tmp_path / "app.apk", good), ["task-library", "mlperf"])
    assert found.fits == {ANDROID: True, "task-library": True, "mlperf": True}
    assert diagnose(package(tmp_path / "lib.aar", {"jni/arm64-v8a/libx.so": (elf(16384), STORED, 4)})).fits[ANDROID]
    bad = {**good, MODEL: (WRONG["misnamed mask"].edit(files["qa"]), STORED, 4)}
    found = diagnose(package(tmp_path / "app.apk", bad), ["task-library"])
    assert (found.fits, [one.where for one in found.errors]) == ({ANDROID: True, "task-library": False},
                                                                [f"{MODEL}: inputs"])


def test_an_unaligned_model(files: dict[str, bytes], tmp_path: Path) -> None:
    path = package(tmp_path / "app.apk", {MODEL + "x": (b"x", STORED, 4), MODEL: (files["qa"], STORED, 1)})
    found = diagnose(path, ["litert"])
    assert any(one.check == "models" and "no multiple of 4" in one.what for one in found.findings)
    assert found.fits[ANDROID]


# The command

def inspect(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_command(files: dict[str, bytes], tmp_path: Path) -> None:
    path, mended = tmp_path / "wrong.tflite", tmp_path / "mended.tflite"
    path.write_bytes(WRONG["outputs start, end"].edit(files["qa"]))
    done = inspect(path, "--client", "mlperf", "--json")
    assert isinstance(done.exception, ModelFileError)
    [finding] = json.loads(done.stdout)["findings"]
    assert (finding["check"], finding["severity"], finding["fix"]) == ("order", "error", "order")
    assert inspect(path, "--client", "litert").exit_code == 0
    shown = inspect(path, "--client", "mlperf", "--fix", mended)
    assert shown.exit_code == 0, shown.exception
    assert "repaired order" in shown.stdout
    assert "the same as before" in shown.stdout
    assert "nothing else to repair" in shown.stdout
    done = inspect(mended, "--client", "all", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["fits"] == {"task-library": True, "mediapipe": None, "mlperf": True, "litert": True,
                                               "gpu": True}
    # Bound by name, the answers are what they were.
    ids = {name: np.ones((1, LENGTH), np.int32) for name in ("ids", "mask", "segment_ids")}
    before, after = (Session(one.read_bytes()).run("qa_384", ids) for one in (path, mended))
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_command_refuses(files: dict[str, bytes], tmp_path: Path) -> None:
    path, out = tmp_path / "good.tflite", tmp_path / "out.tflite"
    path.write_bytes(files["qa"])
    for arguments, message in (
            (("--client", "mediapipe"), "does not fit mediapipe"),
            (("--fix", out), "nothing that a copy could mend is wrong"),
            (("--fix", out, "--vocab", tmp_path / "absent"), "cannot read")):
        done = inspect(path, *arguments)
        assert isinstance(done.exception, DataError | RepairError | ModelFileError)
        assert message in str(done.exception)
    # What only another conversion repairs is listed, with the way.
    shown = inspect(path, "--client", "mediapipe", "--fix", out).stdout
    assert "--fix cannot repair (1):\n  error mediapipe kind, file: the file is for" in shown
    assert "    instead: choose another client, or convert with another --task" in shown
    assert not out.exists()
    assert inspect(path, "--vocab", path).exit_code == 2
    with pytest.raises(RequestError, match="unknown client 'nobody'; known are task-library"):
        diagnose(path, ["nobody"])
    assert inspect(package(tmp_path / "app.apk", {MODEL: (files["qa"], STORED, 4)}), "--fix", out).exception
    assert not out.exists()


def test_damaged_files_are_one_error(files: dict[str, bytes], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = write_model(read_model(files["qa"]))
    path = tmp_path / "damaged.tflite"
    for _ in range(40):
        broken = bytearray(model)
        for place in rng.integers(8, len(broken), 40):
            broken[place] = rng.integers(256)
        path.write_bytes(bytes(broken))
        done = inspect(path, "--client", "all")
        assert done.exception is None or isinstance(done.exception, ModelFileError), done.exception


def test_the_page_lists_every_check() -> None:
    page = (ROOT / "docs" / "how-to" / "doctor.md").read_text(encoding="utf-8")
    rows = [f"| `{name}` | {check.name} | {check.rule} |" for name, client in CLIENTS.items()
            for check in client.checks]
    rows += [f"| `{ANDROID}` | {name} | {rule} |" for name, (rule, _) in PACKAGE_CHECKS.items()]
    listed = [line for line in page.partition("## Checks")[2].splitlines() if line.startswith("| `")]
    assert listed == rows, "\n".join(rows)
