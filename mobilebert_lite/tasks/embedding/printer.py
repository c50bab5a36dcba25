"""Vectors and similarities as `mbl run` prints them."""

from __future__ import annotations

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.embedding import cosines, embed
from mobilebert_lite.tasks.printing import Asked, Shown


def show(model: ReadyModel, asked: Asked) -> Shown:
    """The vector of --text as JSON; with --pair the cosine of both, and both vectors in JSON."""
    texts = [text for text in (asked["text"], asked["pair"]) if text is not None]
    vectors = embed(model, texts)
    if len(texts) == 1:
        return {"embedding": vectors[0].tolist()}, [f"[{', '.join(f'{value:.6g}' for value in vectors[0])}]"]
    alike = float(cosines(vectors[:1], vectors[1:])[0, 0])
    return {"similarity": alike, "embeddings": vectors.tolist()}, [f"similarity\t{alike:.4f}"]
