"""Measures genrec: `python -m eval --help`."""
