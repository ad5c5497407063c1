"""Runtimes: the base class, how their code is imported, and how it is called, on the loop or on a thread."""
