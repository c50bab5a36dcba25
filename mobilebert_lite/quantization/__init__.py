"""Quantization recipes, which are data, and the code that applies them."""
