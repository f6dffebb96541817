"""Speed on the machine at hand: `python -m benchmarks` lists what is measured, `python -m benchmarks NAME` measures.

Each module here is one benchmark: the first line of its docstring says what it measures, `main(argv)` does it.
"""
