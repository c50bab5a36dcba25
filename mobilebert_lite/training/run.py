"""`mbl train`: from options to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.files import json_bytes, write_atomically
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.errors import DataError
from mobilebert_lite.quantization.recipe import load_recipe
from mobilebert_lite.quantization.trained import FILE as RANGES
from mobilebert_lite.training import devices, preconditions, saved, states, workers
from mobilebert_lite.training.batches import Batcher, choose_buckets
from mobilebert_lite.training.distillation import LOGITS, Transfer, annotated, imitating, load_teacher
from mobilebert_lite.training.folds import cross_validate
from mobilebert_lite.training.loop import Loop, LoopSettings, Schedule, Trained
from mobilebert_lite.training.masks import Masker
from mobilebert_lite.training.objective import TaskObjective
from mobilebert_lite.training.optimizer import AdamW
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.preparation import TrainingData, prepare, prepare_folds
from mobilebert_lite.training.quantized import QuantizedEvaluator, QuantizedLoop, QuantizedObjective, quantized
from mobilebert_lite.training.scoring import Evaluator, in_evaluation
from mobilebert_lite.version import __version__

# Compiling takes some ten seconds for each length; it makes a step a quarter to a half faster.
_LONG = 1500

Count = Callable[[int, int], None]
Counting = Callable[[str], AbstractContextManager[Count]]


@dataclass(frozen=True)
class TrainResult:
    """What was written.

    output: the folder of the checkpoint.
    report: what metrics.json holds.
    """

    output: Path
    report: Mapping[str, Any]


def train(options: TrainOptions, resume: bool = False, say: Callable[[str], None] = lambda message: None,
          counting: Counting = lambda message: nullcontext(lambda *numbers: None)) -> TrainResult:
    """Train as ``options`` say, and write a checkpoint as transformers writes it, with metrics.json beside it.

    With ``resume`` from the state in the output folder (options as ``saved_options`` gives them). Raises a subclass of
    MblError; Interrupted where the training can be resumed.
    """
    preconditions.check(options, resume)
    with ExitStack() as holding:
        if resume and workers.is_chief():
            holding.enter_context(states.held(options.output))
        return _train(options, resume, holding, say, counting)


def _train(options: TrainOptions, resume: bool, holding: ExitStack, say: Callable[[str], None],
           counting: Counting) -> TrainResult:
    folder = options.output / states.FOLDER
    parts: list[Callable[[], TrainingData]] = []
    if options.folds is None:
        prepared = prepare(options, say)
    else:
        prepared, parts = prepare_folds(options, say)
    strategy = devices.prepare(prepared.options)

    def begin() -> None:
        # Not before everything is known to fit: the next try would be told that a training was begun here.
        if workers.is_chief() and not resume and not (folder / states.OPTIONS).is_file():
            holding.enter_context(states.held(options.output))
            preconditions.check_empty(options.output)  # another process may have been faster
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / states.OPTIONS, json_bytes(options.to_json() | {"sha256": saved.hashes(options)}))

    def run(prepared: TrainingData, folder: Path, told: str, say: Callable[[str], None]) -> tuple[Trained, Loop]:
        with counting(told) as count:
            return _run(prepared, strategy, folder, say, begin=begin, count=count, counting=counting)

    scored = cross_validate(parts, run, folder, say) if parts else None
    trained, loop = run(prepared, folder, "training", say)
    report = _report(prepared, trained, loop) | (scored.report() if scored else {})
    if workers.is_chief():
        _write(prepared, trained, report)
    return TrainResult(options.output, report)


def _run(prepared: TrainingData, strategy: Any, folder: Path, say: Callable[[str], None], *,
         begin: Callable[[], None], count: Count, counting: Counting) -> tuple[Trained, Loop]:
    """One training to its end, from its saved state where ``folder`` has one."""
    options = prepared.options
    teacher = load_teacher(options.teacher, prepared, options.distill) if options.teacher else None
    loop = make_loop(prepared, strategy, folder, say, teacher)
    begin()
    if (folder / states.STATE).is_file():
        loop.resume()
        say(f"going on after step {loop.progress.step}")
    rows = prepared.rows
    if teacher is not None and LOGITS in options.distill:
        with counting("asking the teacher") as asked:
            rows = annotated(rows, teacher, prepared.task, prepared.masking, loop.settings.batcher.buckets, count=asked)
    return loop.run(lambda epoch: rows, count), loop


def make_loop(prepared: TrainingData, strategy: Any, folder: Path, say: Callable[[str], None],
              teacher: Weights | None = None) -> Loop:
    """The loop for ``prepared``, to be run on rows with the logits of ``teacher`` where these are to be learnt."""
    options, config = prepared.options, prepared.weights.config
    assert options.seq_len is not None
    assert options.epochs is not None
    assert options.learning_rate is not None
    assert options.token_dropout is not None
    assert options.batch_size is not None
    buckets = choose_buckets(prepared.rows, options.seq_len)
    tokenizer = prepared.tokenizer
    batcher = Batcher(options.batch_size, buckets, config.pad_token_id, options.seed, options.token_dropout,
                      tokenizer.unk_id, tokenizer.special_ids, options.position_shift, config.max_position_embeddings,
                      Masker.of(tokenizer, options.whole_words) if prepared.task.training.masked else None)
    steps = max(1, round(options.epochs * batcher.per_epoch(lambda epoch: prepared.rows)))
    # With folds no step is chosen by what it is scored on: the last one counts.
    last = options.folds is not None
    schedule = Schedule.of(steps, config.num_hidden_layers, stack=options.stack,
                           eval_every=steps if last else options.eval_every, save_every=options.save_every,
                           peak=options.learning_rate, warmup=options.warmup_ratio, patience=options.patience,
                           score_start=not (prepared.scratch or last))
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
                        workers.is_chief(), options.output)
    scored = (prepared.dev, in_evaluation(prepared.task, options.seq_len), prepared.tokenizer, prepared.labels,
              options.seq_len)
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


def _report(prepared: TrainingData, trained: Trained, loop: Loop) -> dict[str, Any]:
    options, progress = prepared.options, trained.progress
    return {"toolkit": f"mobilebert-lite {__version__}", "task": prepared.task.name,
            "metric": loop.evaluator.scorer.metric, "score": progress.best, "metrics": dict(trained.metrics),
            "step": progress.best_step, "steps": progress.step, "planned_steps": trained.steps,
            "seconds": round(progress.seconds, 1), "parameters": trained.weights.parameters,
            "start": list(prepared.origin), "examples": {"train": len(prepared.train), "eval": len(prepared.dev)},
            "findings": [asdict(finding) for finding in prepared.findings],
            "options": options.to_json(), "sha256": saved.hashes(options), "history": progress.history}


def _write(prepared: TrainingData, trained: Trained, report: Mapping[str, Any]) -> None:
    """The checkpoint; then what only a resumption needs is removed, and the logs stay."""
    output = prepared.options.output
    huggingface.save(trained.weights, output, vocabulary=prepared.tokenizer.vocabulary,
                     settings=prepared.tokenizer.settings)
    if trained.ranges is not None:
        write_atomically(output / RANGES, trained.ranges.to_json())
    write_atomically(output / saved.METRICS, json_bytes(report))
    states.finish(output)
