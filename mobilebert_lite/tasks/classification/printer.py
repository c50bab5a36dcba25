"""Classes and numbers as `mbl run` prints them."""

from __future__ import annotations

from collections.abc import Sequence

from mobilebert_lite.architecture.form import REGRESSION
from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.classification import Label, classify, predict
from mobilebert_lite.tasks.classification.zero_shot import zero_shot
from mobilebert_lite.tasks.hypotheses import ZeroShot
from mobilebert_lite.tasks.printing import Asked, NotAsked, Shown, shown


def show(model: ReadyModel, asked: Asked) -> Shown:
    """Every number of a regression; ``top`` of the labels."""
    if model.task.form.problem_type == REGRESSION:
        return shown(predict(model, asked["text"], asked["pair"]), lambda one: f"{one.name}\t{one.value:.4f}")
    return show_labels(classify(model, asked["text"], asked["pair"]), asked)


def show_zero_shot(model: ReadyModel, asked: Asked) -> Shown:
    """``top`` of the classes that were asked for, or all."""
    if asked.get("pair") is not None:
        raise NotAsked("--label asks about one text; leave out --pair")
    return show_labels(zero_shot(model, asked["text"], ZeroShot.read(asked)), asked)


def show_labels(labels: Sequence[Label], asked: Asked) -> Shown:
    """``top`` of them, or all."""
    return shown(labels[:asked["top"]], lambda one: f"{one.name}\t{one.probability:.4f}")
