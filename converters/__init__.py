"""Into ``Weights`` from the formats of the peers, and out of the graph into ``.tflite``.

The folder stands at the top of the repository; it is imported as ``mobilebert_lite.converters``.
"""
