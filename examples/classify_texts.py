"""Convert the bundled classifier and classify a few texts.

    python examples/classify_texts.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

from mobilebert_lite import ConvertRequest, Model, convert

TEXTS = ("Will it rain in Lisbon tomorrow morning?", "Book a table for two in Berlin.", "Play some jazz.")


def main(folder: Path) -> list[str]:
    """Write intents.tflite into ``folder``, and return the best label of each text."""
    report = convert(ConvertRequest(folder / "intents.tflite", task="classification", lengths=(32,),
                                    quantize="dynamic"))
    print(f"{report.output}: {report.bytes / 1e6:.2f} MB")
    model = Model(report.output, threads=2)
    labels = []
    for text in TEXTS:
        best = model.classify(text)[0]
        print(f"{best.name:22} {best.probability:.3f}  {text}")
        labels.append(best.name)
    return labels


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
