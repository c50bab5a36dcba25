"""The demo models' outputs, and what they score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import demo_data as data
import numpy as np
import tensorflow as tf

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.evaluation.squad import score
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.heads import classification_logits, question_answering
from mobilebert_lite.tasks.examples import QuestionExample
from mobilebert_lite.tasks.features import Features, pack
from mobilebert_lite.tasks.question_answering import decode, windows
from mobilebert_lite.tokenization import Tokenizer
from mobilebert_lite.weights import Weights


def outputs(tensors: Mapping[str, tf.Tensor], config: MobileBertConfig, ids: tf.Tensor, mask: tf.Tensor,
            segments: tf.Tensor) -> list[tf.Tensor]:
    """Logits of the task: start and end (batch, seq), or classes (batch, labels)."""
    hidden = encode(tensors, config, ids, mask, segments)
    if "classifier.kernel" in tensors:
        return [classification_logits(tensors, hidden)]
    logits = question_answering(tensors, hidden)
    padding = (1.0 - tf.cast(mask, tf.float32)) * -1e4
    return [logits["start_logits"] + padding, logits["end_logits"] + padding]


def predict(weights: Weights, features: Sequence[Features]) -> list[list[np.ndarray]]:
    """The task's logits for each of ``features`` (all of one length), each with a batch axis of 1."""
    tensors = {name: tf.constant(tensor) for name, tensor in weights.tensors.items()}
    run = tf.function(lambda *inputs: outputs(tensors, weights.config, *inputs))
    rows: list[list[np.ndarray]] = []
    for first in range(0, len(features), 64):
        chunk = features[first:first + 64]
        columns = run(*(tf.constant(np.stack([getattr(one, name) for one in chunk]))
                        for name in ("ids", "mask", "segment_ids")))
        rows += [[column.numpy()[i:i + 1] for column in columns] for i in range(len(chunk))]
    return rows


def as_examples(questions: Sequence[data.Question]) -> list[QuestionExample]:
    """Questions in the form that is scored."""
    return [QuestionExample(str(i), one.text, one.context, (one.context[one.start:one.end],) if one.end else (),
                            (one.start,) if one.end else (), not one.end) for i, one in enumerate(questions)]


def qa(weights: Weights, tokenizer: Tokenizer, examples: Sequence[QuestionExample], length: int) -> dict[str, float]:
    """Exact match and F1 in percent, read in windows of ``length`` tokens."""
    features = [windows(tokenizer, one.question, one.context, length) for one in examples]
    logits = iter(predict(weights, [window for each in features for window in each]))
    answers = {}
    for one, each in zip(examples, features, strict=True):
        results = [dict(zip(("start_logits", "end_logits"), next(logits), strict=True)) for _ in each]
        answers[one.id] = decode(each, results, one.context)[0].text
    return {name: round(value, 2) for name, value in score(examples, answers).items()}


def intents(weights: Weights, tokenizer: Tokenizer, examples: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Accuracy in percent on (text, intent) pairs."""
    logits = predict(weights, [pack(tokenizer, text, None, 64) for text, _ in examples])
    right = sum(weights.config.labels[row[0].argmax()] == intent
                for row, (_, intent) in zip(logits, examples, strict=True))
    return {"accuracy": round(100 * right / len(examples), 2), "total": len(examples)}
