"""The network as TensorFlow functions over a mapping of canonical tensor names: tensors in, tensors out.

Layout: activations ``[batch, seq, channels]``, attention ``[batch, heads, seq, head_size]`` (the forms that the
LiteRT GPU accelerator computes correctly). A tensor that fusion removed is simply not drawn.
"""
