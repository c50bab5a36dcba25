"""Text input inside the file against the reference tokenizer: differences counted by named rule.

    python benchmarks/suites/text_input.py --check

runs every recorded text (data/tokenization under MBL_TEST_DATA, default ../shared) through the front end as a TFLite
file with tensorflow-text's operators. --check fails when a difference has no name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from mobilebert_lite.conversion.text_input import differences
from mobilebert_lite.conversion.text_input.frontend import Frontend
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.tokenization import Encoding, Tokenizer

DATA = Path(os.environ.get("MBL_TEST_DATA", "../shared")) / "data"
VOCABULARIES = {"uncased": True, "multilingual_cased": False}
LENGTH = 512


class FileTokenizer:
    """The front end of a file, called as a tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        from ai_edge_litert.interpreter import InterpreterWithCustomOps
        from tensorflow_text.core.pybinds import tflite_registrar

        front = Frontend(tokenizer, find_task("classification")).convert(LENGTH)
        self._interpreter = InterpreterWithCustomOps(custom_op_registerers=tflite_registrar.SELECT_TFTEXT_OPS,
                                                     model_content=front)
        self._run = self._interpreter.get_signature_runner("text")

    def __call__(self, text: str) -> Encoding:
        """Ids without [CLS] and [SEP], and offsets in code points."""
        raw = text.encode()
        found = self._run(text=np.array([raw]), pair=np.array([b""]))
        used = int(found["mask"].sum())
        spans = [(len(raw[:start].decode(errors="replace")), len(raw[:end].decode(errors="replace")))
                 for start, end in found["offsets"][0, 1:used - 1].tolist()]
        return Encoding(found["ids"][0, 1:used - 1].tolist(), spans)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit 1 when a difference has no name")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"no data at {DATA}; set MBL_TEST_DATA to the folder above", file=sys.stderr)
        return 2
    cases = json.loads((DATA / "tokenization/wordpiece_cases.json").read_text(encoding="utf-8"))["cases"]
    unexplained = 0
    for name, lower_case in VOCABULARIES.items():
        tokenizer = Tokenizer.from_file(DATA / f"vocab/{name}.txt", lower_case)
        texts = [case["text"] for case in cases[name]]
        found = differences.count(tokenizer, FileTokenizer(tokenizer), texts)
        print(f"{name}: {len(texts)} texts, {found.total()} differ")
        for rule, meaning in {**differences.RULES, differences.UNEXPLAINED: ""}.items():
            print(f"  {found[rule]:5} {rule}{': ' if meaning else ''}{meaning}")
        unexplained += found[differences.UNEXPLAINED]
    return int(options.check and unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
