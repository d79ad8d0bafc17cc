"""Benchmarks of the running product against floors and peers; no tests."""
