"""Vectors → neighbours: one protocol, and what stands behind it.

Items are known by their row in the catalogue; a filter is a mask over rows and is applied inside the search.
"""

from retrieval.index.base import Index, Mask, Rows, Vector
from retrieval.index.exact import ExactIndex

__all__ = ["ExactIndex", "Index", "Mask", "Rows", "Vector"]
