"""The cost of files on ARM cores: kinds of instructions, the model of throughput, and amounts of work."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebert_lite.cost.cores import CORES
from mobilebert_lite.cost.estimate import estimate, kernel_prices
from mobilebert_lite.cost.instructions import kind_of
from mobilebert_lite.errors import ModelFileError, RequestError
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks" / "suites"))
from arm_code import AddressSpace
from arm_cost import UNFITTED, Row, group_of, recorded, worse
from arm_counting import Counts


# Encodings as the Arm Architecture Reference Manual gives them.
@pytest.mark.parametrize(("word", "kind"), [
    (0x4F82E020, "sdot"),               # sdot v0.4s, v1.16b, v2.4b[0]
    (0x4E829420, "sdot"),               # sdot v0.4s, v1.16b, v2.16b
    (0x4E82A420, "smmla"),              # smmla v0.4s, v1.16b, v2.16b
    (0x4F821020, "fmla f32"),           # fmla v0.4s, v1.4s, v2.s[0]
    (0x4E22CC20, "fmla f32"),           # fmla v0.4s, v1.4s, v2.4s
    (0x4F021020, "fmla f16"),           # fmla v0.8h, v1.8h, v2.h[0]
    (0x4E420C20, "fmla f16"),           # fmla v0.8h, v1.8h, v2.8h
    (0x4E21D820, "convert int"),        # scvtf v0.4s, v1.4s
    (0x4E21A820, "convert int"),        # fcvtns v0.4s, v1.4s
    (0x4E79D820, "convert int"),        # scvtf v0.8h, v1.8h
    (0x0E216820, "convert float"),      # fcvtn v0.4h, v1.4s
    (0x0E217820, "convert float"),      # fcvtl v0.4s, v1.4h
    (0x0E614820, "narrow"),             # sqxtn v0.4h, v1.4s
    (0x6EA2B420, "multiply high"),      # sqrdmulh v0.4s, v1.4s, v2.4s
    (0x4E22D420, "vector"),             # fadd v0.4s, v1.4s, v2.4s
    (0xAD400400, "load vector pair"),   # ldp q0, q1, [x0]
    (0xAD000400, "store vector pair"),  # stp q0, q1, [x0]
    (0x3CC10400, "load vector"),        # ldr q0, [x0], #16
    (0x4C407000, "load vector"),        # ld1 {v0.16b}, [x0]
    (0x3D800000, "store vector"),       # str q0, [x0]
    (0x4C007000, "store vector"),       # st1 {v0.16b}, [x0]
    (0xF9400020, "load"),               # ldr x0, [x1]
    (0x58000040, "load"),               # ldr x0, label
    (0xF9000020, "store"),              # str x0, [x1]
    (0xA8C17BFD, "load pair"),          # ldp x29, x30, [sp], #16
    (0xA9BF7BFD, "store pair"),         # stp x29, x30, [sp, #-16]!
    (0x54000001, "branch"),             # b.ne
    (0xD65F03C0, "branch"),             # ret
    (0x8B020020, "integer"),            # add x0, x1, x2
    (0x9B027C20, "integer"),            # mul x0, x1, x2
])
def test_kinds_of_instructions(word: int, kind: str) -> None:
    assert kind_of(word).name == kind


@pytest.mark.parametrize(("counts", "a76", "v1"), [
    ({"sdot": 8, "load vector": 2}, 4.0, 2.0),                      # vector units
    ({"load vector pair": 4}, 4.0, 8 / 3),                          # a pair is two loads
    ({"convert int": 1}, 2.0, 0.5),
    ({"integer": 8, "branch": 2}, 8 / 3, 2.0),                      # integer units
    ({"sdot": 4, "load": 2, "store": 1, "integer": 5}, 3.0, 2.0),   # width
])
def test_a_block_takes_as_long_as_its_busiest_resource(counts: dict[str, int], a76: float, v1: float) -> None:
    assert CORES["cortex-a76"].cycles(counts) == pytest.approx(a76)
    assert CORES["neoverse-v1"].cycles(counts) == pytest.approx(v1)


def test_functions_are_found_by_their_addresses() -> None:
    """Of this process: the dynamic loader says where the C library's functions are."""
    library = ctypes.CDLL(None)
    space = AddressSpace(Path("/proc/self/maps").read_text())
    for name in ("getpid", "strtoul", "qsort"):
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        assert address is not None
        where, function = space.function(address)
        assert where.startswith("libc")
        assert function.strip("_").endswith(name)
        assert space.function(address + 1)[1] == function
    assert space.function(0) == ("", "")


ROW = Row("mbl int8", 128, "cortex-a76", {
    "xnn_qs8_qc8w_gemm_minmax_fp32_ukernel_4x16c4__asm": Counts({"sdot": 600_000, "load vector": 300_000}, 3e5),
    "xnn_f32_raddstoreexpminusmax_ukernel": Counts({"vector": 100_000}, 5e4)})


def changed(factor: float) -> Row:
    """ROW with a first kernel of ``factor`` times the instructions."""
    name, counts = next(iter(ROW.kernels.items()))
    kinds = {kind: round(number * factor) for kind, number in counts.kinds.items()}
    return replace(ROW, kernels={**ROW.kernels, name: Counts(kinds, counts.cycles)})


def test_more_instructions_than_recorded_are_told() -> None:
    before: dict[Any, Any] = {ROW.key: ROW.to_json()}
    assert worse([ROW, changed(0.5), changed(1.005)], before) == []
    [reason] = worse([changed(1.0112)], before)
    assert reason == ("mbl int8, 128 tokens, cortex-a76: 1,010,080 instructions, 1.01 % more than the record of "
                      "1,000,000; most of it in static int8 products (+10,080)")
    [reason] = worse([replace(ROW, length=64)], before)
    assert "no record" in reason


@pytest.mark.parametrize(("function", "group"), [
    ("xnn_qs8_qc8w_gemm_minmax_fp32_ukernel_4x16c4__asm_aarch64_neondot_cortex_a55", "static int8 products"),
    ("xnn_qd8_f32_qc8w_gemm_minmax_ukernel_4x16c4__neondot", "dynamic int8 products"),
    ("xnn_f16_gemm_minmax_ukernel_6x16__asm_aarch64_neonfp16arith_cortex_a75", "float16 products"),
    ("xnn_f32_gemm_minmax_ukernel_6x8__asm_aarch64_neonfma_ld128", "float32 products"),
    ("xnn_f32_raddstoreexpminusmax_ukernel__neonfma_rr1_lut64_p2_u16_acc2", "softmax"),
    ("xnn_qs8_vadd_minmax_ukernel__neon_ld128_u32", "additions"),
    ("xnn_f32_qs8_vcvt_ukernel__neonv8_u32", "conversions"),
    ("xnn_x8_transposec_ukernel__16x16_reuse_dec_zip_neon", "copies"),
    ("TfLiteSomething", "rest")])
def test_what_kernels_do(function: str, group: str) -> None:
    assert group_of(function) == group


def test_prices_give_what_was_counted() -> None:
    """Amounts of work times prices, to 4 % of each file that they were fitted to: eight kinds at two lengths."""
    rows = [row for row in recorded().values() if row["file"] not in UNFITTED]
    assert len(rows) >= 32
    for row in rows:
        prices = kernel_prices()[row["cpu"]]
        for place, what in enumerate(("instructions", "cycles")):
            total = sum(prices[kind][place] * amount for kind, amount in row["work"].items() if kind in prices)
            assert total == pytest.approx(row[what], rel=0.04), (row["file"], row["length"], row["cpu"], what)


def test_an_estimate_follows_work_and_number_formats(converted: Any) -> None:
    """A longer text costs more; the metadata entry makes float parts cheaper; smmla makes products cheaper."""
    content = Path(converted("qa", "none")).read_bytes()
    model = read_model(content)
    names = [definition.signatureKey.decode() for definition in model.signatureDefs]
    longest, shortest = (sorted(names, key=lambda name: int(name.split("_")[-1]) if name[-1].isdigit() else 0)[place]
                         for place in (-1, 1 if "serving_default" in names else 0))
    set_metadata(model, "reduced_precision_support", b"fp16accfp16")
    half = write_model(model)
    for core in CORES:
        whole, short = (estimate(content, core, name) for name in (longest, shortest))
        assert whole.instructions > short.instructions > 0
        assert 0.3 < estimate(half, core, longest).cycles / whole.cycles < 0.8
    with pytest.raises(RequestError, match="cortex-a76, neoverse-v1"):
        estimate(content, "cortex-a1")
    with pytest.raises(ModelFileError, match="no signature"):
        estimate(content, "cortex-a76", "qa_7")

