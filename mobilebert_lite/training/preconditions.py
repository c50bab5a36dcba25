"""What can be told of a training before TensorFlow is imported: files, folders, workers."""

from __future__ import annotations

from pathlib import Path

from mobilebert_lite.architecture.config import PRESETS
from mobilebert_lite.architecture.config_files import read_config
from mobilebert_lite.architecture.form import SINGLE_LABEL, Form
from mobilebert_lite.common.files import check_folder
from mobilebert_lite.common.requirements import need_files, need_tensorflow
from mobilebert_lite.converters.formats import check_location
from mobilebert_lite.errors import DataError, OutputError
from mobilebert_lite.tasks import TRAINABLE, Task, find_task
from mobilebert_lite.training import states, workers
from mobilebert_lite.training.options import TrainOptions


def check(options: TrainOptions, resume: bool = False) -> None:
    """Raise a subclass of MblError for what is not there, or is there already, in less than a second."""
    need_tensorflow()
    need_files((options.data, options.eval))
    need_files((options.vocabulary,), "vocabulary")
    need_files((options.labels,), "file of labels")
    need_files((options.config,), "configuration")
    if options.weights is not None and options.weights not in PRESETS:
        if options.config is not None:
            raise DataError("a configuration is for networks from scratch; a checkpoint has its own")
        if options.stack:
            raise DataError("stacking is for networks from scratch; a checkpoint has its layers")
        check_location(options.weights)
    elif options.config is not None:
        read_config(options.config, tensorflow=False)
    if options.task or options.weights is None or options.weights in PRESETS:
        task_of(options, own="")
    if options.teacher is not None:
        check_location(options.teacher)
    workers.check(options.distribute)
    if not resume and workers.is_chief():
        check_empty(options.output)


def check_empty(output: Path) -> None:
    """Raise OutputError unless ``output`` can become the folder of a new training."""
    if (output / states.FOLDER / states.OPTIONS).is_file():
        raise OutputError(f"a training was begun in {output}; go on with it (mbl train --resume {output}), or give "
                          "another folder")
    above = next((folder for folder in output.absolute().parents if folder.exists()), output)
    check_folder(output if output.absolute().parent.is_dir() else above / output.name)


def task_of(options: TrainOptions, own: str) -> Task:
    """The task that is trained: the one asked for, or the checkpoint's ``own``. Raises DataError for none, for one that
    cannot be trained, and for options of other tasks."""
    said = options.task or own
    if not said:
        raise DataError(f"no task is given; those that can be trained are {', '.join(TRAINABLE)}")
    task = find_task(said, Form(options.problem))
    if not task.trainable:
        raise DataError(f"task {task.name} cannot be trained; those that can are {', '.join(TRAINABLE)}; or "
                        f"{task.trained_elsewhere}")
    if options.problem != SINGLE_LABEL and "problem" not in task.form_options:
        raise DataError(f"problem {options.problem} is for classification, not for {task.name}")
    if options.whole_words and not task.training.masked:
        raise DataError(f"whole-word masking is for fill-mask, not for {task.name}")
    if options.quantize is not None and task.training.masked:
        raise DataError(f"quantization-aware training is not for {task.name}: the simulation does not compute the "
                        "layer normalization of its head; leave out --quantize")
    return task
