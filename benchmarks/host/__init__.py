"""This machine as a runner: interpreters in child processes."""
