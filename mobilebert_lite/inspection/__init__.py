"""What is inside a .tflite: signatures, tensors and the part of the network each belongs to."""
