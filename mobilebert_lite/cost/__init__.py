"""What a file costs on processors of phones: instructions, and cycles by a model of their throughput.

``instructions.py`` and ``cores.py`` are the model; ``estimate.py`` applies it to a ``.tflite`` file, by what was
counted for each kernel under emulation (``benchmarks/suites/arm_cost.py``).
"""
