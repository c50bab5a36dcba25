"""Words are printed as those of fill-mask."""

from mobilebert_lite.tasks.masked_lm.printer import show

__all__ = ["show"]
