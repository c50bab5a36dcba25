"""Bytes of .tflite files: read, verified, edited and written."""
