"""Checkpoints of transformers, its TensorFlow classes, peft and the hub."""
