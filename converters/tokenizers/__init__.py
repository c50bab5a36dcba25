"""Tokenizer files: vocab.txt, tokenizer.json and their settings, read and written."""
