"""Scores of answers against labelled examples."""
