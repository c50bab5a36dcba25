"""What a training is asked for, and what is taken where nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.form import SINGLE_LABEL
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import Task
from mobilebert_lite.training.defaults import defaults

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainOptions:
    """One training. None: by ``resolved``, from the task and from where the weights come.

    task: what to train for; None: the checkpoint's task.
    data: training examples.
    output: a folder that is not there yet.
    eval: labeled examples to score on; None: some of ``data`` are held out.
    weights: checkpoint (folder, hub id) to fine-tune, or a preset's name to train from scratch.
    config: configuration of a network from scratch.
    vocabulary: tokenizer file; None: the checkpoint's, or made from ``data``.
    labels: names of the classes, one a line; None: those of the checkpoint, or those that occur.
    problem: of a classifier: one class, several, or numbers (form.PROBLEMS' values).
    vocab_size: words of a vocabulary that is made from ``data``.
    cased: whether such a vocabulary keeps case and accents.
    seq_len: longest sequence in tokens.
    epochs: passes over the data.
    batch_size: rows in a step, over all devices together.
    learning_rate: peak learning rate of AdamW.
    warmup_ratio: share of the steps in which the learning rate rises.
    weight_decay: of kernels.
    max_grad_norm: largest norm of the whole gradient; 0: no limit.
    dropout: in place of the configuration's hidden_dropout_prob.
    token_dropout: share of the words replaced by [UNK].
    label_smoothing: share of each label that is spread evenly over all classes.
    position_shift: share of the batches whose positions begin at a random number.
    stack: from scratch: numbers of layers to train with first, in equal shares of the steps.
    seed: of everything random.
    precision: one of PRECISIONS.
    jit: compile the step with XLA; None: where the training is long enough to earn the compilation back.
    threads: of TensorFlow; None: its own choice.
    save_every: steps between saved states; None: twenty of them in a training.
    eval_every: steps between evaluations; None: ten of them in a training.
    patience: evaluations in a row without a better score after which training stops; None: never. The learning rate
        falls to 0 at the end, so the last steps are often the best, however little the middle ones gain.
    metric: the score to judge by; None: the task's own.
    strict: findings about the data end the training before it starts.
    teacher: a checkpoint to distil from.
    distill: what the student learns from the teacher: distillation.KINDS.
    distill_weight: weight of the teacher's logits; the labels have the rest.
    temperature: what both networks' logits are divided by.
    quantize: for quantization-aware training: the mode that the network will be converted with.
    without: fusion rules left out in that conversion.
    distribute: one of devices.KINDS: auto, none, mirrored or workers.
    folds: score by cross-validation with so many parts of ``data``, then train on all of it.
    whole_words: fill-mask: hide all pieces of a word or none.
    reading: what of ``data`` and ``eval`` stands where, and how many bad rows each may have.
    """

    task: str | None
    data: Path
    output: Path
    eval: Path | None = None
    weights: str | None = None
    config: Path | None = None
    vocabulary: Path | None = None
    labels: Path | None = None
    problem: str = SINGLE_LABEL
    vocab_size: int = 8000
    cased: bool = False
    seq_len: int | None = None
    epochs: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    warmup_ratio: float = 0.06
    weight_decay: float = 0.05
    max_grad_norm: float = 1.0
    dropout: float | None = None
    token_dropout: float | None = None
    label_smoothing: float = 0.0
    position_shift: float = 0.0
    stack: tuple[int, ...] = ()
    seed: int = 0
    precision: str = "auto"
    jit: bool | None = None
    threads: int | None = None
    save_every: int | None = None
    eval_every: int | None = None
    patience: int | None = None
    metric: str | None = None
    strict: bool = False
    teacher: str | None = None
    distill: tuple[str, ...] = ("logits",)
    distill_weight: float = 0.7
    temperature: float = 2.0
    quantize: str | None = None
    without: tuple[str, ...] = ()
    distribute: str = "auto"
    folds: int | None = None
    whole_words: bool = False
    reading: DataOptions = field(default_factory=DataOptions)

    def __post_init__(self) -> None:
        for name, least, most in (("epochs", 0, None), ("batch_size", 1, None), ("learning_rate", 0, None),
                                  ("warmup_ratio", 0, 1), ("weight_decay", 0, None), ("max_grad_norm", 0, None),
                                  ("dropout", 0, 0.99), ("token_dropout", 0, 0.99), ("label_smoothing", 0, 0.99),
                                  ("position_shift", 0, 1), ("distill_weight", 0, 1), ("temperature", 0.1, 100),
                                  ("vocab_size", 100, None), ("seq_len", 8, None), ("patience", 1, None),
                                  ("folds", 2, 100)):
            value = getattr(self, name)
            if value is not None and (value < least or (most is not None and value > most)):
                raise DataError(f"{name} is {value}; it must be at least {least}"
                                + ("" if most is None else f" and at most {most}"))
        if self.precision not in PRECISIONS:
            raise DataError(f"precision is {self.precision!r}; known are {', '.join(PRECISIONS)}")

        for name in ("eval", "patience", "eval_every"):
            if self.folds is not None and getattr(self, name) is not None:
                raise DataError(f"folds and {name}: cross-validation scores the last step on parts of the data itself; "
                                "leave out one of them")

    def resolved(self, task: Task, scratch: bool, rows: int) -> TrainOptions:
        """With the defaults of the task, for a network from scratch or a checkpoint, and ``rows`` examples."""
        found = defaults(task.training, scratch, rows)
        return replace(self, task=task.name, **{name: value for name, value in found.items()
                                                if getattr(self, name) is None})

    def to_json(self) -> dict[str, Any]:
        """As plain values; ``from_json`` reads them back."""
        return {name: str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> TrainOptions:
        """What ``to_json`` made."""
        known = {one.name: raw[one.name] for one in fields(cls) if one.name in raw}
        for name in ("data", "output", "eval", "config", "vocabulary", "labels"):
            known[name] = None if known.get(name) is None else Path(known[name])
        known["reading"] = DataOptions(**known.get("reading", {}))
        return cls(**{**known, "stack": tuple(known.get("stack", ())), "without": tuple(known.get("without", ())),
                      "distill": tuple(known.get("distill", ("logits",)))})
