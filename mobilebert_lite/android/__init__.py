"""Models and examples for the demo app's assets."""
