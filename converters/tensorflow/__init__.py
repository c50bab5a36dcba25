"""Checkpoints of TensorFlow 1, the Model Garden and SavedModels."""
