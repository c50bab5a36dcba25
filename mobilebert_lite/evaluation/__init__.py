"""Scores of answers against labeled examples."""
