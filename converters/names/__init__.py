"""Names of tensors: canonical name to the name in each format."""
