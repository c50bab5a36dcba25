"""What stands on the encoder: hidden states in, logits or named outputs out."""

from __future__ import annotations

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.common.tf import tf
from mobilebert_lite.graph.ops import Tensors, activation, dense, standardize

ACTIVATIONS = {"softmax": tf.nn.softmax, "sigmoid": tf.math.sigmoid}


def first_token(x: tf.Tensor) -> tf.Tensor:
    """The [CLS] position. *Shape:* (batch, seq, hidden) → (batch, hidden)"""
    return tf.reshape(tf.slice(x, [0, 0, 0], [x.shape[0] or -1, 1, x.shape[2]]), [-1, x.shape[2]])


def pool(tensors: Tensors, x: tf.Tensor) -> tf.Tensor:
    """[CLS], through tanh(dense) where the checkpoint has a pooler. *Shape:* (batch, seq, hidden) → (batch, hidden)"""
    cls = first_token(x)
    return tf.tanh(dense(tensors, "pooler", cls)) if "pooler.kernel" in tensors else cls


def features(tensors: Tensors, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """sequence_output (batch, seq, hidden) and pooled_output (batch, hidden)."""
    return {"sequence_output": x, "pooled_output": pool(tensors, x)}


def question_answering(tensors: Tensors, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """end_logits and start_logits, each (batch, seq).

    One dense layer per column: slicing a two-column result keeps nodes off the GPU accelerator.
    """
    kernel, bias = tensors["qa.kernel"], tensors["qa.bias"]
    with tf.name_scope("head"):
        start, end = (tf.reshape(tf.matmul(x, kernel[:, i:i + 1]) + bias[i:i + 1], [-1, x.shape[1]]) for i in (0, 1))
    return {"end_logits": end, "start_logits": start}


def classification_logits(tensors: Tensors, x: tf.Tensor) -> tf.Tensor:
    """*Shape:* (batch, seq, hidden) → (batch, labels)"""
    return dense(tensors, "classifier", pool(tensors, x))


def next_sentence_logits(tensors: Tensors, x: tf.Tensor) -> tf.Tensor:
    """Whether the second text follows the first: [is next, is not]. *Shape:* (batch, seq, hidden) → (batch, 2)"""
    with tf.name_scope("head"):
        return dense(tensors, "nsp", pool(tensors, x))


def choice_logits(tensors: Tensors, x: tf.Tensor, choices: int) -> tf.Tensor:
    """One score for each alternative. *Shape:* (batch · choices, seq, hidden) → (batch, choices)"""
    return tf.reshape(classification_logits(tensors, x), [-1, choices])


def token_logits(tensors: Tensors, x: tf.Tensor) -> tf.Tensor:
    """*Shape:* (batch, seq, hidden) → (batch, seq, labels)"""
    return dense(tensors, "classifier", x)


def masked_lm_logits(tensors: Tensors, config: MobileBertConfig, x: tf.Tensor) -> tf.Tensor:
    """A score for every word of the vocabulary. *Shape:* (batch, seq, hidden) → (batch, seq, vocabulary)

    The matrix is the word table itself with ``mlm.extra`` beside it. They are multiplied one by one, so that the table
    of the embedding serves both. The normalization is a real one in networks of NoNorm too.
    """
    x = activation(dense(tensors, "mlm.transform", x), config.hidden_act)
    x = standardize(x, config.layer_norm_eps) * tensors["mlm.norm.gamma"] + tensors["mlm.norm.beta"]
    width = config.embedding_size
    tied = tensors.get("mlm.word", tensors["embeddings.word"])
    if "mlm.extra" not in tensors:
        return _times_words(tied, "embeddings.word", x) + tensors["mlm.bias"]
    batch, seq = x.shape[0] or -1, x.shape[1]
    first = tf.slice(x, [0, 0, 0], [batch, seq, width])
    rest = tf.slice(x, [0, 0, width], [batch, seq, config.hidden_size - width])
    return (_times_words(tensors["mlm.extra"], "embeddings.extra", rest) + tensors["mlm.bias"]
            + _times_words(tied, "embeddings.word", first))


def _times_words(table: tf.Tensor, scope: str, x: tf.Tensor) -> tf.Tensor:
    """*Shape:* (words, width), (batch, seq, width) → (batch, seq, words)"""
    with tf.name_scope(f"mlm.{scope}"):
        return tf.matmul(x, table, transpose_b=True)


def at_positions(x: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """The rows of ``x`` at ``positions``. *Shape:* (batch, seq, hidden), int32 (batch, P) → (batch, P, hidden)

    A product with rows of zeros and a one: XNNPACK has no GATHER, which would cut the graph in two.
    """
    return tf.matmul(tf.one_hot(positions, x.shape[1], dtype=x.dtype), x)
