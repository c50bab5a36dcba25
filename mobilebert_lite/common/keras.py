"""Keras, which TensorFlow imports when it starts: a second that no command needs, but for TensorFlow Text."""

from __future__ import annotations

import os

# TensorFlow imports the Keras that this names; no Keras where that is not installed. It is read again at each use.
_NAME = "TF_USE_LEGACY_KERAS"
_left_out: list[str] = []


def leave_out() -> None:
    """For a process of our own, before TensorFlow is imported. Whoever has chosen a Keras keeps it."""
    if _NAME not in os.environ:
        os.environ[_NAME] = "1"
        _left_out.append(_NAME)


def let_in() -> None:
    """Before a module is imported that uses Keras."""
    while _left_out:
        os.environ.pop(_left_out.pop(), None)
