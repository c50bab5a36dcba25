"""A checkpoint as a float file: what its conversions are scored against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mobilebert_lite.architecture.masking import Masking, default_masking
from mobilebert_lite.conversion.lowering import convert_network
from mobilebert_lite.conversion.packaging import carried_files, finish
from mobilebert_lite.converters.checkpoints import Checkpoint
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.tasks import Task
from mobilebert_lite.version import __version__


def float_file(checkpoint: Checkpoint, task: Task, lengths: Sequence[int],
               masking: Masking | None = None) -> bytes:
    """The network as it stands in the checkpoint, unfused and in float32, with ``task``'s signatures of ``lengths``.

    ``masking`` is by default that of the checkpoint's source. Raises ConversionError when TensorFlow refuses it.
    """
    weights = checkpoint.weights
    masking = masking or default_masking(weights.source.format, weights.source.masking)
    network = Network(weights.config, weights.tensors, task, masking)
    content = convert_network(network, lengths)
    provenance = {"toolkit": f"mobilebert-lite {__version__}", "task": task.name,
                  "source": {"name": Path(weights.source.path).name, "sha256": weights.source.sha256},
                  "recipe": {"name": "none"}, "form": vars(task.form), "lengths": list(lengths),
                  **checkpoint.tokenizer.settings.provenance()}
    return finish(content, provenance, carried_files(checkpoint, task))
