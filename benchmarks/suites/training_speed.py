"""Steps a second beside transformers' MobileBERT in PyTorch: the same weights, batch, optimizer and threads.

    python benchmarks/suites/training_speed.py --torch .venv-torch/bin/python --json out/training-speed.json

Both sides start from one checkpoint and take the same steps of AdamW, in turns, each in a process of its own; a round
is some steps of one, then as many of the other. The losses of all steps are compared, which shows that both do the
same work (and that the step is right). Compiling and tracing come before the rounds and are reported apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

RATE, DECAY = 1e-4, 0.05
OURS, COMPILED, PEER = "mbl train", "mbl train, XLA", "transformers, PyTorch"


@dataclass(frozen=True)
class Case:
    """One network and batch."""

    preset: str
    rows: int
    length: int
    # Steps in a round.
    steps: int
    # Whether our step is measured with XLA too; compiling takes a minute or two for 6 layers, many for 24.
    compiled: bool = False


CASES = {"small": Case("small", 32, 32, 10), "uncased": Case("uncased", 8, 128, 1),
         "small, XLA": Case("small", 32, 32, 10, compiled=True)}


def prepare(case: Case, folder: Path) -> None:
    """The checkpoint and the batch that both sides read."""
    from mobilebert_lite.architecture.config import PRESETS
    from mobilebert_lite.converters.huggingface import checkpoint as huggingface
    from mobilebert_lite.training.initial import initial

    # Without dropout, so that the losses can be compared.
    config = replace(PRESETS[case.preset], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    weights = initial(config, {"classifier": 2}, seed=0, pooler=config.classifier_activation)
    huggingface.save(weights, folder / "checkpoint")
    rng = np.random.default_rng(0)
    used = rng.integers(case.length // 2, case.length, case.rows)
    mask = (np.arange(case.length) < used[:, None]).astype(np.int32)
    ids = rng.integers(100, config.vocab_size, mask.shape).astype(np.int32)
    np.savez(folder / "batch.npz", ids=np.where(mask == 1, ids, config.pad_token_id).astype(np.int32), mask=mask,
             segment_ids=np.zeros_like(mask), labels=rng.integers(0, 2, case.rows).astype(np.int32))


def serve(folder: Path, threads: int, jit: bool) -> None:
    """Our side: what torch_training.py does, with our trainer."""
    import tensorflow as tf

    from mobilebert_lite.converters.huggingface import checkpoint as huggingface
    from mobilebert_lite.tasks import find_task
    from mobilebert_lite.training.objective import TaskObjective
    from mobilebert_lite.training.optimizer import AdamW
    from mobilebert_lite.training.trainer import Trainer

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    weights = huggingface.load(folder / "checkpoint")
    padding = np.zeros_like(weights.tensors["embeddings.word"], bool)
    padding[weights.config.pad_token_id] = True
    task = find_task("classification")
    trainer = Trainer(weights.tensors, TaskObjective(weights.config, task, task.training.loss()),
                      AdamW(clip=1.0), weight_decay=DECAY, frozen={"embeddings.word": padding}, jit=jit)
    arrays = dict(np.load(folder / "batch.npz"))
    batch = {**arrays, "weight": np.ones(len(arrays["ids"]), np.float32), "seed": np.zeros(2, np.int32),
             "shift": np.int32(0)}
    print(json.dumps({"tensorflow": tf.__version__, "parameters": weights.parameters}), flush=True)
    number = 0
    for line in sys.stdin:
        losses, started = [], time.perf_counter()
        for _ in range(int(line)):
            number += 1
            losses.append(trainer.step(batch, number, RATE)["loss"])
        print(json.dumps({"seconds": time.perf_counter() - started, "losses": losses}), flush=True)


class Side:
    """A process that makes steps when it is told to."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"})
        self.facts = self._answer()
        self.losses: list[float] = []

    def steps(self, count: int) -> float:
        """Seconds that ``count`` steps took."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        answer = self._answer()
        self.losses += answer["losses"]
        return float(answer["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args} ended with {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        """Close its input and wait."""
        self.process.communicate()


def measure(case: Case, torch: str, threads: int, rounds: int) -> dict[str, Any]:
    """Steps a second of every side, and how far the losses are apart."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(case, folder)
        serving = [sys.executable, __file__, "--serve", str(folder), "--threads", str(threads)]
        commands = {PEER: [torch, str(Path(__file__).with_name("torch_training.py")), "--checkpoint",
                           str(folder / "checkpoint"), "--batch", str(folder / "batch.npz"), "--threads", str(threads),
                           "--rate", str(RATE), "--decay", str(DECAY)], OURS: serving}
        if case.compiled:
            commands[COMPILED] = [*serving, "--jit"]
        sides = {name: Side(command) for name, command in commands.items()}
        first = {name: side.steps(1) for name, side in sides.items()}
        for side in sides.values():
            side.steps(1)
        samples: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                samples[name].append(side.steps(case.steps))
        for side in sides.values():
            side.end()
    rows = [{"side": name, "facts": side.facts, "first_step_seconds": first[name], "seconds": samples[name],
             "steps_per_second": case.steps / float(np.median(samples[name])),
             "ratio": float(np.median(np.array(samples[PEER]) / np.array(samples[name]))), "losses": side.losses,
             "largest_difference": float(np.abs(np.array(side.losses) - sides[PEER].losses).max())}
            for name, side in sides.items()]
    return {"case": asdict(case), "threads": threads, "rounds": rounds, "rows": rows}


def show(console: Console, name: str, result: dict[str, Any]) -> None:
    """The table of one case."""
    case = result["case"]
    table = Table("", "steps/s", "× PyTorch", "first step, s", "loss, first and last", "largest difference",
                  title=f"{name}: {case['rows']} rows of {case['length']} tokens, {result['threads']} threads, "
                        f"{result['rows'][0]['facts']['parameters']:,} parameters")
    for row in result["rows"]:
        table.add_row(row["side"], f"{row['steps_per_second']:.2f}", f"{row['ratio']:.2f}",
                      f"{row['first_step_seconds']:.1f}", f"{row['losses'][0]:.4f} {row['losses'][-1]:.4f}",
                      f"{row['largest_difference']:.1e}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", help="Python of an environment with torch and transformers")
    parser.add_argument("--only", nargs="+", choices=[*CASES], default=[*CASES])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--jit", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.threads, options.jit)
        return
    if not options.torch:
        parser.error("--torch is needed")
    results = {}
    for name in options.only:
        results[name] = measure(CASES[name], options.torch, options.threads, options.rounds)
        show(Console(width=120), name, results[name])
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
