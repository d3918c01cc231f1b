"""Benchmarks: how fast the parts are, beside the usual way of doing the same, in one run on one machine."""
