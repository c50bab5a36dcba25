"""Files, JSON records and the door to TensorFlow: what every other folder may use."""
