"""TensorFlow, for the modules that compute with it: without its log, or with one line that says how to install it."""

from __future__ import annotations

import os

from mobilebert_lite.common.requirements import WITHOUT_TENSORFLOW
from mobilebert_lite.errors import DependencyError

if not os.environ.get("TF_CPP_MIN_LOG_LEVEL"):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # must stand before TensorFlow's own import

try:
    import tensorflow as tf
except ImportError as error:
    raise DependencyError(WITHOUT_TENSORFLOW.format(error)) from None

__all__ = ["tf"]
