"""A checkpoint as a float file: what its conversions are scored against."""

from __future__ import annotations

from collections.abc import Sequence

from mobilebert_lite import __version__
from mobilebert_lite.converters.checkpoints import Checkpoint
from mobilebert_lite.converters.tflite import convert_network
from mobilebert_lite.graph.attention import MASK_CONSTANT
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.packaging import carried_files, finish
from mobilebert_lite.tasks import find_task


def float_file(checkpoint: Checkpoint, task: str, lengths: Sequence[int],
               mask_constant: float = MASK_CONSTANT) -> bytes:
    """The network as it stands in the checkpoint, unfused and in float32, with signatures of ``lengths``.

    Raises ConversionError when TensorFlow refuses it.
    """
    weights = checkpoint.weights
    content = convert_network(Network(weights.config, weights.tensors, task, mask_constant), lengths)
    provenance = {"toolkit": f"mobilebert-lite {__version__}", "task": task, "lengths": list(lengths),
                  "lower_case": checkpoint.tokenizer.lower_case}
    return finish(content, provenance, carried_files(checkpoint, find_task(task)))
