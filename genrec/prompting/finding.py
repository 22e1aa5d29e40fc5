"""Where packs are: those that ship with genrec by their names, others by their folders."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from genrec.errors import PromptError
from genrec.prompting.making import make_pack
from genrec.prompting.pack import Pack


def pack_folder() -> Path:
    """Where the packs that ship with genrec are: beside the source, or inside an installed package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def pack_names() -> list[str]:
    """The packs that ship with genrec."""
    return sorted(path.parent.name for path in pack_folder().glob("*/rank.j2"))


def find_pack(name_or_path: str | Path) -> Path:
    """The folder of a pack by its name (one that ships with genrec) or its path.

    Raises:
        PromptError: there is none, or both a folder here and a pack that ships have this name.
    """
    name, folder = str(name_or_path), Path(name_or_path)
    if name in pack_names():
        if _holds_templates(folder):
            raise PromptError(f"{name!r} ships with genrec and is a folder here too: say ./{name} for the folder")
        return pack_folder() / name
    if name and folder.is_dir() and folder.resolve().name:
        return folder
    here = [str(path.parent) for path in Path().glob("*/rank.j2")]
    near = get_close_matches(name, [*pack_names(), *here], 1, 0.7)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise PromptError(f"no prompt pack {name!r}: {meant}give the path of a folder, or one of {', '.join(pack_names())}")


def _holds_templates(folder: Path) -> bool:
    return next(folder.glob("*.j2"), None) is not None and folder.resolve().parent != pack_folder().resolve()


def read_pack(home: Path, name: str, folder: Path | None = None) -> Pack:
    """The templates at home in a folder, under a name. `folder`: where its samples and versions are, if not there.

    Raises:
        PromptError: a missing or broken template; the message names file and line.
    """
    return make_pack({path.name: read_text(path) for path in home.glob("*.j2")}, name, home, folder or home)


def read_text(path: Path) -> str:
    """A file with the line ends of any system, and with or without the mark that Windows puts before UTF-8.

    Raises:
        PromptError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: not UTF-8: save the file as UTF-8") from error
