"""Which kind of checkpoint stands at a place: told from the names of the files alone, as far as they tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebert_lite.architecture.config_files import HUGGINGFACE, TENSORFLOW, read_config
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.files import is_special, refuse_pointer
from mobilebert_lite.converters.files import bundle
from mobilebert_lite.converters.huggingface import adapters, hub, sentence_transformers, tensor_files, variants
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface.cleaning import Note, silent
from mobilebert_lite.converters.tensorflow import configuration, model_garden, saved_model, tensorflow1
from mobilebert_lite.errors import CheckpointError, ConfigError, WeightsError

# In the order of help texts.
FORMATS = ("huggingface", tensorflow1.FORMAT, model_garden.FORMAT, saved_model.FORMAT, saved_model.HUB_FORMAT)


@dataclass(frozen=True)
class FoundCheckpoint:
    """A checkpoint that has been recognized but not read."""

    format: str
    # Where vocabulary and configuration are.
    folder: Path
    # The file, or the prefix of several files, that says so.
    evidence: Path
    # Further folders in which to look for what belongs to it, such as its vocabulary, in this order.
    beside: tuple[Path, ...] = ()
    # What was decided on the way here, for people.
    notes: tuple[str, ...] = ()

    def load(self, config: Path | None = None, note: Note = silent) -> Weights:
        """Read it; ``config`` in place of the configuration beside it. ``note`` is told what one must know of it.

        Raises ConfigError, CheckpointError or WeightsError, the last with the format that was taken for granted.
        """
        for decided in self.notes:
            note(decided)
        try:
            weights = self._load(config, note)
        except WeightsError as error:
            raise WeightsError(f"{error} (read as {self})") from None
        for line in weights.source.notes:
            note(line)
        if self.format != "huggingface":
            return weights
        return sentence_transformers.with_modules(weights, self.folder, note)

    def __str__(self) -> str:
        return f"{self.format}, {self.evidence.name}"

    def _load(self, config: Path | None, note: Note) -> Weights:
        if self.format == "huggingface":
            if self.evidence.name == variants.ADAPTER_CONFIG:
                return adapters.load(self.folder, self.beside[0], config, note)
            return huggingface.load(self.folder, config, note, self.evidence)
        if self.format in (saved_model.FORMAT, saved_model.HUB_FORMAT):
            return saved_model.load(self.folder, config or saved_model.config_path(self.folder), self.format)
        read = tensorflow1.load if self.format == tensorflow1.FORMAT else model_garden.load
        return read(self.evidence, config or configuration.beside(self.folder))


def find(location: str | Path, format: str | None = None, revision: str | None = None) -> FoundCheckpoint:
    """The checkpoint at ``location``: a folder, one of its files, the prefix of a TensorFlow checkpoint, or a hub id.

    ``format`` says which where several stand side by side. Raises CheckpointError when nothing is recognized, when
    several are and none is asked for, or when it is another than was asked for.
    """
    if format is not None and format not in FORMATS:
        raise CheckpointError(f"unknown format {format!r}; known are {', '.join(FORMATS)}")
    prefix = _prefix(Path(location))
    candidates = [_bundle(prefix)] if prefix else _at(hub.resolve(str(location), revision))
    chosen = [one for one in candidates if format in (None, one.format)]
    seen = ", ".join(f"{one.format} ({one.evidence.name})" for one in candidates)
    if not candidates:
        raise CheckpointError(
            f"no checkpoint in {location}: expected {variants.SAFETENSORS} with config.json, "
            f"a TensorFlow checkpoint (*{bundle.INDEX}) with {tensorflow1.CONFIG}, or a SavedModel")
    if not chosen:
        raise CheckpointError(f"{location} is not {format}; it looks like {seen}")
    if len(chosen) > 1:
        raise CheckpointError(f"{location} holds several checkpoints: {seen}; say which with --format, "
                              "or give the file")
    return chosen[0]


def check_location(location: str, config: Path | None = None) -> None:
    """Raise CheckpointError where nothing is there, and no hub has such an id; what ``find`` says without asking it.

    Raises ConfigError where the only configuration there is none, unless ``config`` takes its place.
    """
    path = Path(location)
    if _prefix(path) is None:
        hub.check(location)
    folder = path if path.is_dir() else path.parent
    places = [] if config else [one for one in (folder / HUGGINGFACE, folder / TENSORFLOW) if one.is_file()]
    if path.exists() and len(places) == 1:
        try:
            read_config(places[0], tensorflow=False)
        except ConfigError:
            read_config(places[0], tensorflow=True)


# Of files that readers of checkpoints open.
_READ = (".json", ".txt", ".safetensors", ".bin", ".h5", ".pt", ".pth", ".ckpt", ".index", ".pb")


def _prefix(path: Path) -> Path | None:
    """The prefix of the TensorFlow checkpoint that ``path`` itself names, by any of its files."""
    return None if path.is_dir() else bundle.prefix_of(path)


def _at(path: Path) -> list[FoundCheckpoint]:
    """What stands at ``path``, a folder or one of its files; in the last of a training's folders, if nowhere else."""
    if path.is_file():
        named = variants.kind_of(path.name) is not None
        return [FoundCheckpoint("huggingface", path.parent, path)] if named else _at(path.parent)
    for file in path.iterdir():
        if file.suffix in _READ and is_special(file):
            refuse_pointer(file)
    found = list(_candidates(path))
    if not found and (last := variants.last_training(one.name for one in path.iterdir() if one.is_dir())):
        taken = f"taking {last}, the last of this training"
        found = [replace(one, beside=(*one.beside, path), notes=(taken, *one.notes)) for one in _at(path / last)]
    config = path / "config.json"
    # Alone it says that the weights are missing.
    return found or ([FoundCheckpoint("huggingface", path, config)] if config.is_file() else [])


def _candidates(folder: Path) -> Iterator[FoundCheckpoint]:
    if (folder / variants.ADAPTER_CONFIG).is_file():
        base = adapters.find_base(folder)
        yield FoundCheckpoint("huggingface", folder, folder / variants.ADAPTER_CONFIG, (base,),
                    (f"merging the adapter into its base, {base}",))
    elif evidence := tensor_files.find(folder):
        yield FoundCheckpoint("huggingface", folder, evidence, notes=_said_of(evidence))
    elif inner := sentence_transformers.network(folder):
        yield from (replace(one, beside=(*one.beside, folder)) for one in _candidates(inner))
    prefixes = bundle.prefixes(folder)
    variables = folder / saved_model.VARIABLES
    if (folder / saved_model.GRAPH).is_file() or variables.parent.is_dir():
        yield FoundCheckpoint(_kind(variables, saved_model.FORMAT, saved_model.HUB_FORMAT), folder, variables.parent)
    if len(prefixes) > 1:
        latest = bundle.latest(folder)
        if latest is None:
            raise CheckpointError(f"{folder} holds several checkpoints: {', '.join(one.name for one in prefixes)}; "
                                  "give the prefix of the one you want, such as "
                                  f"{folder / prefixes[-1].name}")
        prefixes = [latest]
    for prefix in prefixes:
        yield _bundle(prefix)


def _said_of(evidence: Path) -> tuple[str, ...]:
    variant = variants.variant_of(evidence.name)
    return (f"taking {evidence.name}: there is no plain file beside the variant {variant}",) if variant else ()


def _bundle(prefix: Path) -> FoundCheckpoint:
    return FoundCheckpoint(_kind(prefix, model_garden.FORMAT, tensorflow1.FORMAT), prefix.parent, prefix)


def _kind(prefix: Path, with_objects: str, without: str) -> str:
    """By whether the index holds a description of objects. It is a sorted table whose keys stand there as they are."""
    index = Path(f"{prefix}{bundle.INDEX}")
    described = index.is_file() and bundle.OBJECT_GRAPH.encode() in index.read_bytes()
    return with_objects if described else without
