"""What is measured on this machine: `make bench`, or `python -m benchmarks NAME` for some of it.

A benchmark is a file in this folder with the names of `registry.Benchmark`, listed in `registry.FILES`. It
has two parts, each run in a process of its own: `prepare(folder)` builds what it needs, untimed;
`measure(folder, repetition)` is timed from the start of its process to the end. Results go to results.json.
What compares one thing with another in turn is a file with the names of `registry.Comparison` instead: it runs
in one process, measures what it wants and returns its figures.
"""
