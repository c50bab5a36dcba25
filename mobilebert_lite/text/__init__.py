"""From text to numbers: the tokenizer, examples and their features."""
