"""Packs of Jinja templates → chat messages: sandboxed, strict, versioned by their content."""

from genrec.prompting.clean import clean
from genrec.prompting.data import (
    DESCRIPTION,
    Subject,
    candidate_data,
    content_free,
    context_data,
    days_ago,
    history_data,
    item_data,
    user_data,
)
from genrec.prompting.finding import find_pack, pack_folder, pack_names, read_pack
from genrec.prompting.front import TASKS, FrontMatter, Part, Task
from genrec.prompting.making import make_pack
from genrec.prompting.pack import Messages, Pack, PackError, RenderError, Script, TemplateError
from genrec.prompting.versions import load_pack

__all__ = [
    "DESCRIPTION",
    "TASKS",
    "FrontMatter",
    "Messages",
    "Pack",
    "PackError",
    "Part",
    "RenderError",
    "Script",
    "Subject",
    "Task",
    "TemplateError",
    "candidate_data",
    "clean",
    "content_free",
    "context_data",
    "days_ago",
    "find_pack",
    "history_data",
    "item_data",
    "load_pack",
    "make_pack",
    "pack_folder",
    "pack_names",
    "read_pack",
    "user_data",
]
