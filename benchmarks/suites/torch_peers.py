"""What the ecosystem of PyTorch makes of the same network: litert-torch and ONNX Runtime.

    python torch_peers.py --checkpoint FOLDER --lengths 128 384 --output out/torch-peers

Run it in a virtual environment of its own, for torch is large: it needs torch, transformers, onnx, onnxruntime and
litert-torch, and nothing of this project. FOLDER is a Hugging Face checkpoint. For each length it writes
"litert-torch float-LENGTH.tflite", "onnx float-LENGTH.onnx" and "onnx dynamic-LENGTH.onnx"; `peers.py --torch` times
what it finds there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import litert_torch
import torch
from onnxruntime.quantization import quantize_dynamic
from transformers import MobileBertForQuestionAnswering


class Logits(torch.nn.Module):
    """The model with its three inputs by position and its two outputs as a tuple."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor,
                segments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.model(input_ids=ids, attention_mask=mask, token_type_ids=segments)
        return out.start_logits, out.end_logits


def export(model: Logits, length: int, folder: Path) -> None:
    """The files of one length."""
    inputs = (torch.zeros(1, length, dtype=torch.int32), torch.ones(1, length, dtype=torch.int32),
              torch.zeros(1, length, dtype=torch.int32))
    litert_torch.convert(model, inputs).export(str(folder / f"litert-torch float-{length}.tflite"))
    path = folder / f"onnx float-{length}.onnx"
    torch.onnx.export(model, inputs, str(path), input_names=["ids", "mask", "segment_ids"],
                      output_names=["start_logits", "end_logits"], dynamo=False, opset_version=17)
    quantize_dynamic(str(path), str(folder / f"onnx dynamic-{length}.onnx"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--lengths", nargs="+", type=int, default=[128, 384])
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    model = Logits(MobileBertForQuestionAnswering.from_pretrained(options.checkpoint,
                                                                  attn_implementation="eager")).eval()
    with torch.no_grad():
        for length in options.lengths:
            export(model, length, options.output)


if __name__ == "__main__":
    main()
