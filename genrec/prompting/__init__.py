"""Packs of Jinja templates → chat messages: sandboxed, strict, versioned by their content."""

from genrec.prompting.clean import clean
from genrec.prompting.data import (
    DESCRIPTION,
    candidate_data,
    content_free,
    context_data,
    days_ago,
    history_data,
    item_data,
    user_data,
)
from genrec.prompting.pack import Messages, Pack, Task, load_pack, pack_folder, pack_names

__all__ = [
    "DESCRIPTION",
    "Messages",
    "Pack",
    "Task",
    "candidate_data",
    "clean",
    "content_free",
    "context_data",
    "days_ago",
    "history_data",
    "item_data",
    "load_pack",
    "pack_folder",
    "pack_names",
    "user_data",
]
