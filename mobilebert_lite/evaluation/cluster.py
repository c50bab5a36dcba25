"""Examples through a model on a Dask cluster: the optional extra ``cluster``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mobilebert_lite.errors import DependencyError, WorkerError
from mobilebert_lite.evaluation.journal import Outcome
from mobilebert_lite.evaluation.workers import Job, WorkerPlan, answer_shard, shards
from mobilebert_lite.running.model import read_tflite

# Larger than on one machine: each portion crosses the network.
SHARD = 32
CONNECT_SECONDS = 20


def run_cluster(plan: WorkerPlan, jobs: Sequence[Job], address: str) -> Iterator[Outcome]:
    """On the workers of the scheduler at ``address``, as they finish.

    The model travels with the work; mobilebert-lite must be installed where the workers are. A worker that dies takes
    only its unfinished shards with it, and these go to the others. Raises MblError when nobody is at the address or a
    shard has killed several workers, DependencyError without Dask.
    """
    try:
        from distributed import Client, as_completed
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise DependencyError("--cluster needs Dask: pip install 'mobilebert-lite[cluster]'") from None
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise WorkerError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        content = client.scatter(read_tflite(plan.path), broadcast=True)
        # Not pure: an answer carries its time.
        futures = [client.submit(answer_shard, plan, shard, content, pure=False) for shard in shards(jobs, SHARD)]
        try:
            for future in as_completed(futures):
                yield from future.result()
                future.release()
        except KilledWorker as error:
            raise WorkerError(f"the cluster gave up on a shard: {error}. With --report, the same command goes on where "
                           "this one stopped") from None
        finally:
            client.cancel(futures)
