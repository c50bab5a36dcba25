"""SavedModels as TF-Hub publishes them: the variables are read, the graph is not.

``variables/variables.index`` is a checkpoint of the Model Garden in a TF2 SavedModel, and one of plain TF1 names in a
TF1-Hub module. Neither carries a configuration: it is looked for in the folder, its assets and the folder above, and
otherwise follows from the variables as far as they say it.
"""

from __future__ import annotations

from pathlib import Path

from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.converters.files.bundle import INDEX
from mobilebert_lite.converters.tensorflow import configuration, model_garden, tensorflow1
from mobilebert_lite.errors import CheckpointError

FORMAT, HUB_FORMAT = "saved_model", "tf1_hub"
VARIABLES = Path("variables", "variables")
ASSETS = "assets"
GRAPH = "saved_model.pb"


def load(folder: Path, config: Path | None, kind: str = FORMAT) -> Weights:
    """Read the variables of the SavedModel in ``folder``; ``config`` as for the two kinds of checkpoints.

    Raises ConfigError, CheckpointError or WeightsError as their loaders do.
    """
    prefix = folder / VARIABLES
    if not Path(f"{prefix}{INDEX}").is_file():
        raise CheckpointError(f"{folder} has no {VARIABLES}{INDEX}: its variables are missing or in the graph alone, "
                              "which is not read")
    read = tensorflow1.load if kind == HUB_FORMAT else model_garden.load
    return read(prefix, config, kind)


def config_path(folder: Path) -> Path | None:
    """Where the configuration of the SavedModel in ``folder`` is; the folder above counts for TF1's alone, for a
    config.json there can be any program's."""
    above = folder.parent / tensorflow1.CONFIG
    return configuration.beside(folder, folder / ASSETS) or (above if above.is_file() else None)
