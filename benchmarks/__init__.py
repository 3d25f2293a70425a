"""Benchmarks: whole processes with defaults, in turns with competent rivals."""
