"""Every error a user can cause: one line that names what was wrong, the value, and what to do."""

from __future__ import annotations

import re


class MblError(Exception):
    """Base of all errors that the command line prints as one ``Error: …`` line."""

    # Of the command that fails with it.
    exit_code = 1


class RequestError(MblError):
    """A request that names something unknown, or whose parts exclude each other.

    The command line finds most of these itself, as usage errors; what only the checkpoint or the file can refuse comes
    from here.
    """


class ConfigError(MblError):
    """A model configuration that is unreadable or describes no MobileBERT."""


class WeightsError(MblError):
    """Tensors that do not fit the configuration (missing, unexpected, misshapen, non-finite)."""


class CheckpointError(MblError):
    """A checkpoint that cannot be found or read."""


class DataError(MblError):
    """Texts, questions or labels that cannot be read or used."""


class RecipeError(MblError):
    """A quantization recipe that cannot be read, or is none."""


class ConversionError(MblError):
    """A conversion that cannot be done: checkpoint, task, mode and runtime do not go together."""


class VerificationError(MblError):
    """A converted file that does not agree with the checkpoint it was made from."""


class TrainingError(MblError):
    """A training that cannot go on, or cannot be done in the mode that was asked for."""


class ModelFileError(MblError):
    """A ``.tflite`` that cannot be read, or is not one of ours where one of ours is needed."""


class AnswerError(MblError):
    """Outputs of a model that cannot be read as answers: not finite, or of a wrong shape or number."""


class RepairError(MblError):
    """A ``.tflite`` that ``inspect --fix`` cannot mend."""


class WorkerError(MblError):
    """A process or a machine that shares the work and has ended."""


class OutputError(MblError):
    """A place that cannot be written to."""


class DependencyError(MblError):
    """A package that the request needs and this environment lacks."""


# What steers a terminal or breaks a line (tab and newline are a text's own), and what turns the direction of a text.
UNPRINTABLE = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"
                         "\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ufeff\\ufff9-\\ufffb]")


def printable(text: str) -> str:
    """``text`` as it may be shown: what a file says must not steer the terminal that shows it.

    Halves of surrogate pairs, which stand for bytes of file names that are not UTF-8, are written as ``\\udcff``.
    """
    return UNPRINTABLE.sub("\ufffd", text).encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str) -> str:
    """``printable`` of what is shown in one line, such as a name, which may hold no line of its own."""
    return printable(text).replace("\n", "\ufffd")


# So many names of a list are shown.
SHOWN = 6


def shorten(names: list[str], limit: int = SHOWN) -> str:
    """``a, b, c and 4 more``: the first ``limit`` names and a count of the rest."""
    head = ", ".join(names[:limit])
    return head if len(names) <= limit else f"{head} and {len(names) - limit} more"
