"""Words are scored as those of fill-mask."""

from mobilebert_lite.tasks.masked_lm.scorer import make

__all__ = ["make"]
