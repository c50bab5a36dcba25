"""Texts into ids, mask and segments with TensorFlow operators: what stands before the network in a text signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mobilebert_lite.common.keras import let_in
from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.common.tf import tf
from mobilebert_lite.conversion.text_input import normalizer
from mobilebert_lite.errors import DependencyError
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.question_answering import longest_question
from mobilebert_lite.text.examples import QuestionExample
from mobilebert_lite.text.tokenization import Tokenizer

try:
    let_in()
    from tensorflow_text import FastBertNormalizer, FastWordpieceTokenizer
except ImportError as error:
    raise DependencyError(f"--text-input needs tensorflow-text ({error}): pip install 'mobilebert-lite[text]'"
                          ) from None

Tensors = Mapping[str, tf.Tensor]


class Frontend(tf.Module):
    """A tokenizer as operators, and the features of a task over it."""

    def __init__(self, tokenizer: Tokenizer, task: Task) -> None:
        super().__init__()
        # Inputs of the text signatures, string [1] each. An empty pair is none.
        self.tokenizer, self.texts = tokenizer, tuple(task.texts)
        self._question = task.example_type is QuestionExample
        settings = tokenizer.settings
        self._normalizer = FastBertNormalizer(
            model_buffer=normalizer.model(settings.lower_case, settings.strip_accents))
        self._pieces = FastWordpieceTokenizer(list(tokenizer.vocabulary), settings.continuing_prefix,
                                              unknown_token=settings.unk_token, token_out_type=tf.int32)

    def encode(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Ids int32 [n], and int32 [n, 2]: where each token starts and ends, in bytes. *Shape:* string [1]"""
        # One text at a time: without a batch there are no ragged gathers, for which no operator is registered.
        normal, places = self._normalizer.normalize_with_offsets(text)
        ids, starts, ends = self._pieces.tokenize_with_offsets(normal)
        spans = [tf.gather(places.values, tf.cast(index.values, tf.int32)) for index in (starts, ends)]
        return ids.values, tf.cast(tf.stack(spans, axis=-1), tf.int32)

    def features(self, length: int) -> Callable[..., Tensors]:
        """A function from the task's texts to the network's inputs and ``offsets``, int32 [1, S, 2].

        ``offsets`` are bytes of the last text, (-1, -1) for what is not of it.
        """
        def build(first: tf.Tensor, second: tf.Tensor) -> Tensors:
            (a, spans_a), (b, spans_b) = self.encode(first), self.encode(second)
            paired = tf.minimum(tf.size(b), 1)
            if self._question:
                kept_a = tf.minimum(tf.size(a), longest_question(length))
                kept_b = tf.minimum(tf.size(b), length - 3 - kept_a)
            else:
                kept_a, kept_b = _longest_first(tf.size(a), tf.size(b), length - 2 - paired)
            end = tf.constant([self.tokenizer.sep_id])
            ids = tf.concat([[self.tokenizer.cls_id], a[:kept_a], end, b[:kept_b], end[:paired]], axis=0)
            # Of the last text; arithmetic, because a condition would be a subgraph of its own.
            before, begin, count = 1 + paired * (kept_a + 1), paired * tf.size(a), kept_a + paired * (kept_b - kept_a)
            spans = tf.concat([spans_a, spans_b], axis=0)[begin:begin + count]
            used = tf.size(ids)
            places = tf.range(length)
            mask = tf.cast(places < used, tf.int32)
            segment_ids = mask * tf.cast(places >= kept_a + 2, tf.int32)
            padding = self.tokenizer.pad_id
            return {"ids": tf.reshape(tf.pad(ids, [[0, length - used]], constant_values=padding), [1, length]),
                    "mask": tf.reshape(mask, [1, length]), "segment_ids": tf.reshape(segment_ids, [1, length]),
                    "offsets": tf.reshape(tf.pad(spans, [[before, length - before - count], [0, 0]],
                                                 constant_values=-1), [1, length, 2])}

        def features(**texts: tf.Tensor) -> Tensors:
            return build(*(texts[name] for name in self.texts))

        return features

    def convert(self, length: int) -> bytes:
        """The front end of one length as a ``.tflite`` of its own."""
        specs = {name: tf.TensorSpec([1], tf.string, name=name) for name in self.texts}
        function = tf.function(self.features(length), autograph=False).get_concrete_function(**specs)
        with scratch_folder() as folder:
            tf.saved_model.save(self, str(folder), signatures={"text": function})
            converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["text"])
            converter.allow_custom_ops = True
            content: bytes = converter.convert()
        return content


def _longest_first(first: tf.Tensor, second: tf.Tensor, room: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """As ``text.features.longest_first``."""
    return (tf.minimum(first, tf.maximum(room - second, (room + 1) // 2)),
            tf.minimum(second, tf.maximum(room - first, room // 2)))
