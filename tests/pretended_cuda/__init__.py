"""A CUDA device without a GPU, to count when the CPU waits for it.

Tensors "on cuda" compute on the CPU. Operations that mix devices raise, as on
a GPU, and those that would make the CPU wait for the GPU are recorded with
their place. :func:`install` changes torch for the whole process: use it in a
process of its own, before mmengine is imported.
"""
