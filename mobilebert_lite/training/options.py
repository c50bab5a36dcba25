"""What a training is asked for, and what is taken where nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.form import SINGLE_LABEL
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import Task

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainOptions:
    """One training. None: by ``resolved``, from the task and from where the weights come."""

    task: str | None
    data: Path
    # A folder that is not there yet.
    output: Path
    # Labeled examples to score on; None: some of ``data`` are held out.
    eval: Path | None = None
    # Checkpoint (folder, hub id) to go on from, or a preset's name; None: from scratch.
    weights: str | None = None
    # Configuration of a network from scratch.
    config: Path | None = None
    vocabulary: Path | None = None
    # Names of the classes, one a line; None: those of the checkpoint, or those that occur.
    labels: Path | None = None
    problem: str = SINGLE_LABEL
    # Words of a vocabulary that is made from the data, and whether it keeps capitals and accents.
    vocab_size: int = 8000
    cased: bool = False
    # Longest sequence in tokens.
    seq_len: int | None = None
    epochs: float | None = None
    # Rows in a step, over all devices together.
    batch_size: int = 32
    # Greatest learning rate.
    learning_rate: float | None = None
    # Share of the steps in which it rises.
    warmup_ratio: float = 0.06
    # Of kernels.
    weight_decay: float = 0.05
    # Largest norm of the whole gradient; 0: no limit.
    max_grad_norm: float = 1.0
    # In place of the configuration's hidden_dropout_prob.
    dropout: float | None = None
    # Share of the words hidden behind [UNK].
    token_dropout: float | None = None
    # Share of each label that goes to all classes alike.
    label_smoothing: float = 0.0
    # Share of the batches that begin at a random position.
    position_shift: float = 0.0
    # From scratch: numbers of layers to train with first, in equal shares of the steps.
    stack: tuple[int, ...] = ()
    seed: int = 0
    precision: str = "auto"
    # Compile the step with XLA; None: where the training is long enough to earn it back.
    jit: bool | None = None
    threads: int | None = None
    # Steps between saved states, and between evaluations; None: twenty and ten a training.
    save_every: int | None = None
    eval_every: int | None = None
    # Evaluations in a row without a better score after which training stops; None: it goes on to its end. The rate
    # falls to 0 by then, so the last steps are often the best, however little the middle ones gain.
    patience: int | None = None
    # The score to judge by; None: the task's own.
    metric: str | None = None
    # Findings about the data end the training before it starts.
    strict: bool = False
    # A checkpoint to learn from, and what of it: distillation.KINDS.
    teacher: str | None = None
    distill: tuple[str, ...] = ("logits",)
    # Weight of the teacher's logits, the labels having the rest; and what both networks' logits are divided by.
    distill_weight: float = 0.7
    temperature: float = 2.0
    # Quantization-aware: the mode that the network will be converted with.
    quantize: str | None = None
    # Fusion rules left out there.
    without: tuple[str, ...] = ()
    # auto, none, mirrored or workers.
    distribute: str = "auto"

    def __post_init__(self) -> None:
        for name, least, most in (("epochs", 0, None), ("batch_size", 1, None), ("learning_rate", 0, None),
                                  ("warmup_ratio", 0, 1), ("weight_decay", 0, None), ("max_grad_norm", 0, None),
                                  ("dropout", 0, 0.99), ("token_dropout", 0, 0.99), ("label_smoothing", 0, 0.99),
                                  ("position_shift", 0, 1), ("distill_weight", 0, 1), ("temperature", 0.1, 100),
                                  ("vocab_size", 100, None), ("seq_len", 8, None), ("patience", 1, None)):
            value = getattr(self, name)
            if value is not None and (value < least or (most is not None and value > most)):
                raise DataError(f"{name} is {value}; it must be at least {least}"
                                + ("" if most is None else f" and at most {most}"))
        if self.precision not in PRECISIONS:
            raise DataError(f"precision is {self.precision!r}; known are {', '.join(PRECISIONS)}")

    def resolved(self, task: Task, scratch: bool) -> TrainOptions:
        """With the defaults of the task, for a network from scratch or a checkpoint."""
        training = task.training
        defaults = ({"token_dropout": 0.05, **training.scratch} if scratch else
                    {"token_dropout": 0.0, **training.fine_tuned})
        taken = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, task=task.name, **taken)

    def to_json(self) -> dict[str, Any]:
        """As plain values; ``from_json`` reads them back."""
        return {name: str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> TrainOptions:
        """What ``to_json`` made."""
        known = {field.name: raw[field.name] for field in fields(cls) if field.name in raw}
        for name in ("data", "output", "eval", "config", "vocabulary", "labels"):
            known[name] = None if known.get(name) is None else Path(known[name])
        return cls(**{**known, "stack": tuple(known.get("stack", ())), "without": tuple(known.get("without", ())),
                      "distill": tuple(known.get("distill", ("logits",)))})
