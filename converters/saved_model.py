"""SavedModels as TF-Hub publishes them: the variables are read, the graph is not.

``variables/variables.index`` is a checkpoint of the Model Garden in a TF2 SavedModel, and one of plain TF1 names in a
TF1-Hub module. Neither carries a configuration: it is looked for in the folder, its assets and the folder above.
"""

from __future__ import annotations

from pathlib import Path

from mobilebert_lite.converters import model_garden, tensorflow1
from mobilebert_lite.converters.bundle import INDEX
from mobilebert_lite.errors import CheckpointError, ConfigError
from mobilebert_lite.weights import Weights

FORMAT, HUB_FORMAT = "saved_model", "tf1_hub"
VARIABLES = Path("variables", "variables")
ASSETS = "assets"
GRAPH = "saved_model.pb"


def load(folder: Path, config: Path, kind: str = FORMAT) -> Weights:
    """Read the variables of the SavedModel in ``folder``.

    Raises ConfigError, CheckpointError or WeightsError as the loaders of the two kinds of checkpoints do.
    """
    prefix = folder / VARIABLES
    if not Path(f"{prefix}{INDEX}").is_file():
        raise CheckpointError(f"{folder} has no {VARIABLES}{INDEX}: its variables are missing or in the graph alone, "
                              "which is not read")
    read = tensorflow1.load if kind == HUB_FORMAT else model_garden.load
    return read(prefix, config, kind)


def config_path(folder: Path) -> Path:
    """Where the ``bert_config.json`` of the SavedModel in ``folder`` is. Raises ConfigError when there is none."""
    places = [place / tensorflow1.CONFIG for place in (folder, folder / ASSETS, folder.parent)]
    for path in places:
        if path.is_file():
            return path
    raise ConfigError(f"a SavedModel does not hold its configuration, and there is no {tensorflow1.CONFIG} in "
                      f"{folder}, its {ASSETS} or the folder above; give it with --config")
