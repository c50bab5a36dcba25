"""`mbl train`: from options to a checkpoint."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.config import read_json
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.files import json_bytes, write_atomically
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import CheckpointError, DataError, OutputError
from mobilebert_lite.quantization.recipe import load_recipe
from mobilebert_lite.quantization.trained import FILE as RANGES
from mobilebert_lite.training import devices, states
from mobilebert_lite.training.batches import Batcher, choose_buckets
from mobilebert_lite.training.distillation import LOGITS, Transfer, annotated, imitating, load_teacher
from mobilebert_lite.training.loop import Loop, LoopSettings, Schedule, Trained
from mobilebert_lite.training.objective import TaskObjective
from mobilebert_lite.training.optimizer import AdamW
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.preparation import TrainingData, prepare
from mobilebert_lite.training.quantized import QuantizedEvaluator, QuantizedLoop, QuantizedObjective, quantized
from mobilebert_lite.training.scoring import Evaluator
from mobilebert_lite.version import __version__

METRICS = "metrics.json"
# Compiling takes some ten seconds for each length; it makes a step a quarter to a half faster.
_LONG = 1500

Count = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainResult:
    """What was written.

    output: the folder of the checkpoint.
    report: what metrics.json holds.
    """

    output: Path
    report: Mapping[str, Any]


def train(options: TrainOptions, resume: bool = False, say: Callable[[str], None] = lambda message: None,
          counting: Callable[[str], AbstractContextManager[Count]] = lambda message: nullcontext(lambda *numbers: None)
          ) -> TrainResult:
    """Train as ``options`` say, and write a checkpoint as transformers writes it, with metrics.json beside it.

    With ``resume`` from the state in the output folder (options as ``saved_options`` gives them). Raises a subclass of
    MblError; Interrupted where the training can be resumed.
    """
    devices.check(options)
    folder = options.output / states.FOLDER
    chief = devices.is_chief()
    if not resume:
        _check_empty(options.output, chief)
    prepared = prepare(options, say)
    teacher = load_teacher(options.teacher, prepared, options.distill) if options.teacher else None
    strategy = devices.prepare(options)
    if chief and not resume:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / states.OPTIONS, json_bytes(options.to_json() | {"sha256": _hashes(options)}))
    loop = make_loop(prepared, strategy, folder, say, teacher)
    if resume and (folder / states.STATE).is_file():
        loop.resume()
        say(f"going on after step {loop.progress.step}")
    rows = prepared.rows
    if teacher is not None and LOGITS in options.distill:
        with counting("asking the teacher") as count:
            rows = annotated(rows, teacher, prepared.task, prepared.masking, loop.settings.batcher.buckets, count=count)
    with counting("training") as count:
        trained = loop.run(lambda epoch: rows, count)
    report = _report(prepared, trained, loop)
    if chief:
        _write(prepared, trained, report)
    return TrainResult(options.output, report)


def make_loop(prepared: TrainingData, strategy: Any, folder: Path, say: Callable[[str], None],
              teacher: Weights | None = None) -> Loop:
    """The loop for ``prepared``, to be run on rows with the logits of ``teacher`` where these are to be learnt."""
    options, config = prepared.options, prepared.weights.config
    assert options.seq_len is not None
    assert options.epochs is not None
    assert options.learning_rate is not None
    assert options.token_dropout is not None
    buckets = choose_buckets(prepared.rows, options.seq_len)
    tokenizer = prepared.tokenizer
    batcher = Batcher(options.batch_size, buckets, config.pad_token_id, options.seed, options.token_dropout,
                      tokenizer.unk_id, tokenizer.special_ids, options.position_shift, config.max_position_embeddings)
    steps = max(1, round(options.epochs * batcher.per_epoch(lambda epoch: prepared.rows)))
    schedule = Schedule.of(steps, config.num_hidden_layers, stack=options.stack, eval_every=options.eval_every,
                           save_every=options.save_every, peak=options.learning_rate, warmup=options.warmup_ratio,
                           patience=options.patience, score_start=not prepared.scratch)
    dtype = devices.precision(options.precision)
    loss = prepared.task.training.loss(options.problem, options.label_smoothing)
    jit = steps >= _LONG if options.jit is None else options.jit
    say(f"{len(prepared.rows):,} rows, {steps:,} steps of {options.batch_size}, {prepared.weights.parameters:,} "
        f"parameters, lengths {', '.join(map(str, buckets))}, {dtype}{', XLA' if jit else ''}")
    transfer = None
    if teacher is not None:
        if LOGITS in options.distill:
            loss = imitating(loss, prepared.task, options.distill_weight, options.temperature)
        transfer = Transfer.of(teacher, prepared.masking, options.distill)
    settings = LoopSettings(lambda config: TaskObjective(config, prepared.task, loss, prepared.masking, dtype,
                                                     transfer),
                        batcher, schedule, AdamW(clip=options.max_grad_norm), options.weight_decay, strategy, jit,
                        devices.is_chief())
    scored = (prepared.dev, prepared.task, prepared.tokenizer, prepared.labels, options.seq_len)
    if options.quantize is not None:
        if transfer is not None:
            raise DataError("with --quantize only logits can be distilled from a teacher; leave out --distill")
        say(f"quantizing ({options.quantize}) for training")
        network = quantized(prepared, load_recipe(options.quantize), {*buckets, options.seq_len})
        settings = replace(settings, objective=lambda config: QuantizedObjective(network.simulations, loss))
        evaluator = QuantizedEvaluator(network.simulations, *scored, buckets=buckets, masking=prepared.masking,
                                       metric=options.metric)
        return QuantizedLoop(network, settings, evaluator, folder, say)
    return Loop(prepared.weights, settings, Evaluator(*scored, buckets=buckets, masking=prepared.masking,
                                                      metric=options.metric), folder, say)


def saved_options(output: Path) -> TrainOptions:
    """The options of the training in ``output``. Raises CheckpointError where there is none, or its data changed."""
    path = output / states.FOLDER / states.OPTIONS
    if not path.is_file():
        finished = (output / METRICS).is_file()
        raise CheckpointError(f"the training in {output} is finished; go on from it with --weights {output}" if finished
                              else f"no training to resume in {output}; {path} is not there")
    raw = read_json(path)
    options = replace(TrainOptions.from_json(raw), output=output)
    changed = [name for name, digest in _hashes(options).items() if raw.get("sha256", {}).get(name) != digest]
    if changed:
        raise CheckpointError(f"{', '.join(changed)} changed since the training began; only the same data can be "
                              "gone on with")
    return options


def _hashes(options: TrainOptions) -> dict[str, str]:
    files = [path for path in (options.data, options.eval, options.vocabulary, options.labels, options.config) if path]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}


def _check_empty(output: Path, chief: bool) -> None:
    if (output / states.FOLDER / states.OPTIONS).is_file() and chief:
        raise OutputError(f"a training was begun in {output}; go on with it (mbl train --resume {output}), or give "
                              "another folder")
    if chief and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} is there already, and not empty; give a new folder, or remove it")


def _report(prepared: TrainingData, trained: Trained, loop: Loop) -> dict[str, Any]:
    options, progress = prepared.options, trained.progress
    return {"toolkit": f"mobilebert-lite {__version__}", "task": prepared.task.name,
            "metric": loop.evaluator.scorer.metric, "score": progress.best, "metrics": dict(trained.metrics),
            "step": progress.best_step, "steps": progress.step, "planned_steps": trained.steps,
            "seconds": round(progress.seconds, 1), "parameters": trained.weights.parameters,
            "examples": {"train": len(prepared.train), "eval": len(prepared.dev)},
            "findings": [asdict(finding) for finding in prepared.findings],
            "options": options.to_json(), "sha256": _hashes(options), "history": progress.history}


def _write(prepared: TrainingData, trained: Trained, report: Mapping[str, Any]) -> None:
    """The checkpoint; then what only a resumption needs is removed, and the logs stay."""
    output = prepared.options.output
    huggingface.save(trained.weights, output, vocabulary=prepared.tokenizer.vocabulary,
                     settings=prepared.tokenizer.settings)
    if trained.ranges is not None:
        write_atomically(output / RANGES, trained.ranges.to_json())
    write_atomically(output / METRICS, json_bytes(report))
    folder = output / states.FOLDER
    if (folder / states.LOGS).is_dir():
        (folder / states.LOGS).replace(output / states.LOGS)
    shutil.rmtree(folder)
