"""Triton's "Trace Extension": which requests are traced, and the files that hold their traces."""
