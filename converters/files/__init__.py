"""File formats without their meaning: TensorFlow bundles, HDF5, pickles, PyTorch's files."""
