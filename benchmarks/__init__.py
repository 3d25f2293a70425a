"""Benchmarks: each prints what we do in a second, what a named baseline does in the same run, and their ratio."""
