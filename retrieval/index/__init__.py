"""Vectors → neighbours: one protocol, and what stands behind it.

Items are known by their row in the catalogue; a filter is a mask over rows and is applied inside the search.
`retrieval.index.lance` and `retrieval.index.postgres` are imported by who uses them: their packages are extras.
"""

from retrieval.index.base import DamagedIndex, Index, Mask, Rows, Vector
from retrieval.index.exact import ExactIndex

__all__ = ["DamagedIndex", "ExactIndex", "Index", "Mask", "Rows", "Vector"]
