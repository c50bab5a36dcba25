"""Phones over adb: which one, how it is, and TensorFlow's own benchmark tool on it."""
