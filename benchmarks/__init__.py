"""Latency, memory and energy of ``.tflite`` files, on this machine and on phones; results are data."""
