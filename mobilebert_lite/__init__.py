"""mobilebert-lite: MobileBERT checkpoints into small, fast, faithful ``.tflite`` files."""

__version__ = "0.1.0"
