"""What writers of configurations call things: activations, and keys that change nothing that is computed, classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mobilebert_lite.errors import ConfigError

# Their name → ours, by the formula that the writer's code computes. quick_gelu (x·sigmoid(1.702x)) and gelu_10
# (clipped at ±10) are other functions, and have no place here.
_SAME_EVERYWHERE = {
    "relu": "relu",
    # min(max(x, 0), 6)
    "relu6": "relu6",
    # x/2 · (1 + tanh(√(2/π) · (x + 0.044715x³))), under the names that transformers gives its implementations
    "gelu_new": "gelu_new", "gelu_pytorch_tanh": "gelu_new", "gelu_python_tanh": "gelu_new", "gelu_fast": "gelu_new",
    "gelu_accurate": "gelu_new",
    # x/2 · (1 + erf(x/√2))
    "gelu_python": "gelu",
}
# The plain name means the exact form in transformers' code, and the tanh form in that of TF1 and the Model Garden.
HUGGINGFACE_ACTIVATIONS: Mapping[str, str] = {**_SAME_EVERYWHERE, "gelu": "gelu"}
TENSORFLOW_ACTIVATIONS: Mapping[str, str] = {**_SAME_EVERYWHERE, "gelu": "gelu_new"}

# Keys of other writers in a bert_config.json → the values that it may have; empty: any, for no code computes with it.
SILENT_KEYS: Mapping[str, tuple[Any, ...]] = {
    # google-research/bert and its descendants: every BERT reads both directions and pools the first token.
    "directionality": ("bidi",), "pooler_type": ("first_token_transform",), "pooler_fc_size": (),
    "pooler_num_attention_heads": (), "pooler_num_fc_layers": (), "pooler_size_per_head": (),
    # BertConfig of the Model Garden: how its own readers name variables.
    "backward_compatible": (),
    # transformers: follows from other keys,
    "true_hidden_size": (), "num_labels": (),
    # is the only way a MobileBERT can be,
    "position_embedding_type": ("absolute",), "is_decoder": (False,), "is_encoder_decoder": (False,),
    "add_cross_attention": (False,), "tie_word_embeddings": (True,),
    # or says how to store, train or call a model.
    "attn_implementation": (), "bos_token_id": (), "classifier_dropout": (), "dtype": (), "eos_token_id": (),
    "finetuning_task": (), "gradient_checkpointing": (), "name_or_path": (), "_name_or_path": (),
    "output_attentions": (), "output_hidden_states": (), "output_past": (), "return_dict": (), "sep_token_id": (),
    "tokenizer_class": (), "torch_dtype": (), "transformers_version": (), "use_cache": (),
}


def activation(name: Any, names: Mapping[str, str]) -> Any:
    """Our name for an activation; what is unknown stays as it is, so that the configuration refuses it by name."""
    return names.get(name.lower(), name) if isinstance(name, str) else name


# More classes than any model has; a wrong id must not fill the memory.
_MOST_LABELS = 1 << 16


def labels_of(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Names in the order of the outputs, from transformers' ``id2label``, or ``label2id`` where that is all there is.

    An id without a name of its own has the name "", which whoever needs the names refuses (labels.py).
    """
    try:
        by_id = {int(key): "" if name is None else str(name) for key, name in (raw.get("id2label") or {}).items()}
        if not by_id:
            ids = [(int(i), str(name)) for name, i in (raw.get("label2id") or {}).items()]
            count = Counter(i for i, _ in ids)
            by_id = {i: name if count[i] == 1 else "" for i, name in ids}
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise ConfigError("config: id2label must map whole numbers to names, and label2id names to numbers") from None
    # Ids below 0 mark what training passes over; no output has them.
    last = max((i for i in by_id if 0 <= i < _MOST_LABELS), default=-1)
    return tuple(by_id.get(i, "") for i in range(last + 1))
