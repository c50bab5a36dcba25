"""A finished file, ready to answer: the interpreter, its isolation, Model."""
