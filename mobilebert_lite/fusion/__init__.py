"""Exact algebra over weights: the same function with fewer operations. One rule per file, one ordered list."""
