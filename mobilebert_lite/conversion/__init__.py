"""From a checkpoint to a verified .tflite: the pipeline and its stages."""
