"""Everything that can rank, by name."""

from eval.methods.toolbox import NAMES, Toolbox

__all__ = ["NAMES", "Toolbox"]
