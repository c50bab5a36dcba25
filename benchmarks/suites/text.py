"""Tokenization and SQuAD features: how fast, and whether they are the reference's.

    python benchmarks/suites/text.py --check

prints texts per second of each tokenizer on one thread, the time that features of the whole SQuAD v1.1 development
set take, and how many of MLPerf Mobile's recorded features ours equal. --check fails when one differs. The data lies
where MBL_TEST_DATA says (default ../shared).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One thread for each of the three; must stand before the imports.
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

from results import save

from mobilebert_lite.datasets.reading import QuestionExample, read_examples
from mobilebert_lite.tasks.question_answering import token_to_orig_map, windows
from mobilebert_lite.text.tokenization import BEHAVIorS, Tokenizer

DATA = Path(os.environ.get("MBL_TEST_DATA", "../shared")) / "data"
LENGTH, STRIDE, MAX_QUERY = 384, 128, 64


def best_of(rounds: int, run: Callable[[], object]) -> float:
    """Seconds of the fastest of ``rounds`` runs; what else the machine does only ever adds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def throughput(texts: list[str], vocabulary: Path, rounds: int) -> dict[str, float]:
    """Tokenizer -> texts per second, one thread, ids and offsets."""
    result = {}
    for behavior in BEHAVIorS:
        tokenizer = Tokenizer.from_file(vocabulary, behavior=behavior)
        result[behavior] = len(texts) / best_of(rounds, lambda tokenizer=tokenizer: tokenizer.encode_batch(texts))
    try:
        import tensorflow as tf
        import tensorflow_text
    except ImportError:
        return result
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    fast = tensorflow_text.FastBertTokenizer(tokenizer.vocabulary, lower_case_nfd_strip_accents=True)
    batch = tf.constant(texts)
    return {**result, "tensorflow-text": len(texts) / best_of(rounds, lambda: fast.tokenize_with_offsets(batch))}


def equal_features(examples: list[QuestionExample], tokenizer: Tokenizer) -> tuple[int, int]:
    """How many of MLPerf's features ours equal (ids, mask, segments, word map, maximum context), and of how many."""
    import tensorflow as tf

    by_id = {example.id: example for example in examples}
    # The whole file is compressed, records and all.
    data = zlib.decompress((DATA / "mlperf/squad_eval_mini.tfrecord").read_bytes())
    equal, at, seen = 0, 0, dict.fromkeys(by_id, 0)
    total = 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 8], "little")
        record = tf.train.Example.FromString(data[at + 12:at + 12 + size]).features.feature
        at += 16 + size
        identity = record["qas_id"].bytes_list.value[0].decode()
        example = by_id[identity]
        found = windows(tokenizer, example.question, example.context, LENGTH, stride=STRIDE, max_query=MAX_QUERY)
        window = found[seen[identity]]
        ours: dict[str, list[Any]] = {
            "input_ids": window.ids.tolist(), "input_mask": window.mask.tolist(),
            "segment_ids": window.segment_ids.tolist(),
            "token_to_orig_map": list(token_to_orig_map(window, example.context).values()),
            "token_is_max_context": window.max_context[window.in_text].tolist()}
        seen[identity] += 1
        total += 1
        equal += all(list(record[name].int64_list.value) == values for name, values in ours.items())
    return equal, total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true", help="exit 1 when a feature differs")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"no data at {DATA}; set MBL_TEST_DATA to the folder above", file=sys.stderr)
        return 2
    examples = read_examples(DATA / "squad/dev-v1.1.json", "qa")
    vocabulary = DATA / "vocab/uncased.txt"
    tokenizer = Tokenizer.from_file(vocabulary)
    started = time.perf_counter()
    features = sum(len(windows(tokenizer, example.question, example.context, LENGTH, stride=STRIDE,
                               max_query=MAX_QUERY))
                   for example in examples)
    seconds = time.perf_counter() - started
    print(f"SQuAD v1.1 dev: {features} features of {len(examples)} questions in {seconds:.1f} s, one thread")
    equal, total = equal_features(examples, tokenizer)
    print(f"MLPerf Mobile: {equal} of {total} features identical")
    questions = [example.question for example in examples]
    speeds = throughput(questions, vocabulary, options.rounds)
    for name, speed in speeds.items():
        print(f"{name:16} {speed:9,.0f} texts/s, one thread ({len(questions):,} SQuAD questions)")
    save(options.json, {"features": features, "seconds": seconds, "identical": equal, "recorded": total,
                        "texts_per_second": speeds})
    return int(options.check and equal != total)


if __name__ == "__main__":
    sys.exit(main())
