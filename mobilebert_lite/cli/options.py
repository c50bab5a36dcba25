"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mobilebert_lite.cli.command import Command, F, option
from mobilebert_lite.cli.parameters import (
    FORMAT,
    FUSION_RULE,
    INTERPRETER,
    METRIC,
    PATH,
    PROBLEM,
    VERSION,
    one_of,
    several,
)
from mobilebert_lite.cli.targets import NPU

if TYPE_CHECKING:
    from mobilebert_lite.datasets.options import DataOptions

# Of each inference, unless --threads says otherwise.
THREADS = 2


class Sha256(click.ParamType):
    """A SHA-256 as 64 hexadecimal digits, in lower case."""

    name = "SHA256"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", str(value)):
            self.fail(f"{str(value)[:80]!r} is no SHA-256; give the 64 hexadecimal digits that `sha256sum FILE` prints",
                      param, context)
        return str(value).lower()


# From the settings of one command (parameter name, help text, needed options) to the decorator.
_Shared = Callable[..., Callable[[F], F]]


def _shared(*names: str, **settings: Any) -> _Shared[Any]:
    return lambda *name, **own: option(*names, *name, **{**settings, **own})


def command(name: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """``click.command`` with the class ``Command``."""
    return click.command(name, cls=Command, **settings)


# Input
revision = _shared("--revision", metavar="REVISION", help="Commit, tag or branch of the hub id.")
format = _shared("--format", type=FORMAT, help="Format of the checkpoint. [default: recognized by its files]")
config = _shared("--config", type=PATH, metavar="FILE|PRESET",
                 help="Configuration of the network. [default: the file beside the weights]")
vocabulary = _shared("--vocab", "vocabulary", type=PATH, metavar="FILE",
                     help="Vocabulary. [default: the file beside the weights]")
labels = _shared("--labels", type=PATH, metavar="FILE",
                 help="Names of the classes, one per line. [default: those of the checkpoint]")
problem = _shared("--problem", type=PROBLEM,
                  help="Classification: one label per text, several labels, or a number.")

# Files of examples
data_options = (
    option("--text-column", metavar="NAME",
           help="Column or JSON field of the text; a number, from 1, in a table without a header. [default: text, "
                "sentence, and other names of published data]"),
    option("--pair-column", metavar="NAME", help="Column of the second text, or of the question."),
    option("--label-column", metavar="NAME[,…]",
           help="Column of the label; several hold 1 for the class that each is called after, or 0."),
    option("--skip-bad-rows", default=0, show_default=True, type=click.IntRange(0),
           help="Go on without up to N rows that cannot be used."))


def reading(asked: dict[str, Any]) -> DataOptions:
    """What ``data_options`` say, taken out of the options of a command."""
    from mobilebert_lite.datasets.options import DataOptions

    return DataOptions(*(asked.pop(name) for name in ("text_column", "pair_column", "label_column", "skip_bad_rows")))


# Quantization
min_runtime = _shared("--min-runtime", type=VERSION, metavar="VERSION",
                      help="Oldest TFLite version that must load the file, such as 2.14.")


def no_fuse(**own: Any) -> Callable[[F], F]:
    """The option --no-fuse."""
    return several("--no-fuse", "without", each=FUSION_RULE, metavar="RULE[,…]", **{
        "help": "Fusion rules to leave out; all leaves out every rule.", **own})


calibration = _shared("--calibration", type=PATH, metavar="FILE",
                      help="Texts to calibrate with: JSON lines, SQuAD JSON or a table. [default: built-in texts]")


def compile_for(**own: Any) -> Callable[[F], F]:
    """The option --npu of the commands that compile."""
    return several("--npu", each=NPU, metavar="SOC[,…]", **{
        "help": "Processors with an NPU to compile for, or phones with them: sm8750, galaxys25.", **own})


allow_partial = _shared("--allow-partial", is_flag=True,
                        help="Write compiled files that leave operators to the CPU too.")

# Inference
threads = _shared("--threads", type=click.IntRange(1), default=THREADS, show_default=True,
                  help="Threads of each inference.")
interpreter = _shared("--interpreter", "runtime", type=INTERPRETER,
                      help="Package that runs the model. [default: $MBL_INTERPRETER, or the first that is installed]")
npu = _shared("--npu", type=NPU, metavar="SOC", help="Run in the simulator of this processor's NPU, or of a phone's "
                                                    "with it: sm8750, galaxys25. It tells answers, never time.")
tokenizer = _shared("--tokenizer", type=one_of("tokenizer", "reference", "phone"), default="reference",
                    show_default=True, help="How texts are split: as in BERT's reference code, or as the Task Library "
                                            "and MediaPipe do on phones.")
stride = _shared("--stride", default=128, show_default=True, type=click.IntRange(1),
                 help="Question answering: tokens between the windows over a long context.")
max_answer_tokens = _shared("--max-answer-tokens", default=30, show_default=True, type=click.IntRange(1),
                            help="Question answering: length of the longest answer.")
null_threshold = _shared("--null-threshold", default=0.0, show_default=True, type=float,
                         help="Question answering: 'no answer' is given when its score exceeds the best answer's by "
                              "more than this.")
word_pieces = _shared("--word-pieces", is_flag=True,
                      help="Question answering: answers are the model's tokens as they are, and may overlap, in place "
                           "of whole words that share none with a better answer.")

# Classes that the model was not trained for
def zero_shot(*needs: str) -> tuple[Callable[[Any], Any], ...]:
    """--label, and the options that need it or another one of ``needs``."""
    needed = ("--label", *needs)
    return (
        option("--label", "labels", multiple=True, metavar="TEXT",
               help="Class to choose from, whatever classes MODEL, which must be for NLI, was trained on; repeat the "
                    "option for each."),
        option("--hypothesis", metavar="TEXT", needs=needed,
               help="sentence that says that a text is of class {}. [default: This example is {}.]"),
        option("--multi-label", is_flag=True, needs=needed, help="judge each class by itself; several may hold."),
        option("--entailment", metavar="CLASS", needs=needed,
               help="name or number of MODEL's class for \"follows\". [default: the one called entail…]"),
        option("--contradiction", metavar="CLASS", needs=needed,
               help="name or number of MODEL's class for \"contradicts\". [default: the one called contra…]"))


# Scores
metric = _shared("--metric", type=METRIC, metavar="METRIC",
                 help="Score to judge by; a GLUE task stands for the scores of that task. [default: by task]")
limit = _shared("--limit", type=click.IntRange(1), help="Use only N examples, evenly spaced over the file.")
workers = _shared("--workers", default=1, show_default=True, type=click.IntRange(1),
                  help="Processes that score in parallel.")
cluster = _shared("--cluster", metavar="ADDRESS", help="Dask scheduler that distributes the scoring, such as "
                                                       "tcp://host:8786.")

# Phones
serial = _shared("--serial", metavar="SERIAL", help="Use the attached phone with this serial number.")
app = _shared("--app", type=PATH, metavar="APK", help="APK of the demo app, to install first.")
phones = (
    option("--connect", multiple=True, metavar="HOST:PORT", help="Attach this phone over the network first."),
    option("-H", "--adb-server", "servers", multiple=True, metavar="HOST[:PORT]",
           help="Use the phones of this adb server; repeat it for several. [default: this machine's]"),
    option("-P", "--adb-port", "port", type=click.IntRange(1, 65535), metavar="PORT",
           help="Port of adb servers given without one. [default: 5037]"))

# Output
output = _shared("--output", "-o", type=PATH, metavar="FILE", help="File to write.")
report = _shared("--report", type=PATH, metavar="FILE", help="Write the report to FILE as JSON.")
page = _shared("--html", "page", type=PATH, metavar="FILE",
               help="Write a page with plots to FILE; a browser shows it without network access.")
as_json = _shared("--json", "as_json", is_flag=True, help="Print JSON to standard output.")


def adb_servers(servers: tuple[str, ...], port: int | None) -> tuple[str, ...]:
    """The servers, each with a port if ``port`` is given; ``:PORT`` is the server of this machine."""
    if port is None:
        return servers
    return tuple(one if ":" in one else f"{one}:{port}" for one in servers or ("",))
