"""Which devices train together: ``tf.distribute`` does the work."""

from __future__ import annotations

from mobilebert_lite.common.tf import tf
from mobilebert_lite.errors import DataError
from mobilebert_lite.training import workers
from mobilebert_lite.training.options import TrainOptions


def prepare(options: TrainOptions) -> tf.distribute.Strategy:
    """Set threads and reproducibility, and choose the strategy. To be called before TensorFlow computes anything.

    ``auto``: all workers that the environment variable TF_CONFIG names, else all GPUs of this machine, else one
    device. Raises DataError for a batch that the devices cannot share.
    """
    workers.check(options.distribute)
    if options.threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(options.threads)
            tf.config.threading.set_inter_op_parallelism_threads(options.threads)
        except RuntimeError:
            raise DataError(f"threads is {options.threads}, but TensorFlow has started with its own number in this "
                            "process; leave it out, or train in a new process") from None
    tf.config.experimental.enable_op_determinism()
    # Otherwise it warns of every length that is traced.
    tf.get_logger().setLevel("ERROR")
    strategy = _strategy(options.distribute)
    count = strategy.num_replicas_in_sync
    assert options.batch_size is not None
    if options.batch_size % count:
        raise DataError(f"batch_size is {options.batch_size}, which {count} devices cannot share; "
                        f"give a multiple of {count}")
    return strategy


def _strategy(kind: str) -> tf.distribute.Strategy:
    gpus = len(tf.config.list_physical_devices("GPU"))
    if kind == "workers" or (kind == "auto" and workers.count() > 1):
        return tf.distribute.MultiWorkerMirroredStrategy()
    if kind == "mirrored" or (kind == "auto" and gpus > 1):
        return tf.distribute.MirroredStrategy(None if gpus else [
            device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("CPU")])
    return tf.distribute.get_strategy()


def precision(asked: str) -> str:
    """The number format of the network. ``auto``: bfloat16 on GPUs that multiply it, float32 elsewhere.

    Not float16: the hidden values of published MobileBERTs leave its range.
    """
    if asked != "auto":
        return asked
    gpus = tf.config.list_physical_devices("GPU")
    capable = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))[0] >= 8 for gpu in gpus]
    return "bfloat16" if capable and all(capable) else "float32"
