"""Interpreters in processes of their own, where what a hostile file does to native code ends nothing else."""
