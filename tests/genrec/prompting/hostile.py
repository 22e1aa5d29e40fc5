"""Tries hostile templates in a process of its own: `python -m tests.genrec.prompting.hostile [GUARD-TO-LEAVE-OUT]`.

Prints one JSON object for each template: what became of it, the seconds of the processor that it took, and how
much memory the process had taken by then, in MB.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time
from typing import Any

import yaml

from genrec import PromptError
from genrec.prompting import load_pack, sandbox

TEXTS = Path(__file__).parent / "hostile_texts.yaml"
TEMPLATES = Path(__file__).parent / "hostile_templates.yaml"
_FRONT = """---
description: d
inputs: [user, history, context, instruction, candidates, n, language]
output: label
sampling: {max_tokens: 1}
user_fields: [age, city]
---
"""
_PLAIN = (
    "---\ndescription: d\ninputs: [item]\noutput: %s\nsampling: {max_tokens: 1}\n---\n"
    "{%% block system %%}s{%% endblock %%}{%% block user %%}u{%% endblock %%}"
)
_TEA = {"title": "Tea", "description": "Green. " * 40, "categories": ["Drinks"], "price": 3.5, "attributes": {"a": "b"}}
DATA: Mapping[str, Any] = {
    "user": {"attributes": {"age": 29, "city": "Oslo"}},
    "history": [
        {"type": "rate", "value": 4, "date": "2026-11-01", "days_ago": day, "item": _TEA, "context": {}}
        for day in range(10)
    ],
    "context": {"place": "Oslo"},
    "instruction": "something warm",
    "candidates": [{"label": chr(ord("A") + place), **_TEA} for place in range(26)],
    "n": 5,
    "language": "English",
}
_LEAKS = ("<class", "<function", "<built-in", "<bound", "<generator", "<genrec", "<jinja2", "<module", "{'", "['")
_LONGEST = 300_000
_SECONDS = 3
_MEMORY = 1 << 30
GUARDS: Mapping[str, Callable[[], None]] = {
    "list": lambda: setattr(sandbox, "_problem", lambda *_: None),
    "values": lambda: setattr(sandbox, "_plain", str),
    "fuel": lambda: setattr(sandbox.Fuel, "spend", lambda *_: None),
}
"""What takes each guard away."""


def written(entry: Mapping[str, Any], key: str) -> str:
    """The text of an entry: under its key, or put together of parts."""
    parts = entry.get("parts", ())
    return entry.get(key, "") + "".join(
        text.replace("§", str(number)) for text, times in parts for number in range(times)
    )


def build(entry: Mapping[str, Any], folder: Path) -> Path:
    """A pack whose rank.j2 is an entry of the file."""
    body = written(entry, "template")
    if not entry.get("whole"):
        body = f"{_FRONT}{{% block system %}}s{{% endblock %}}{{% block user %}}{body}{{% endblock %}}"
    files = {"rank.j2": body, "explain.j2": _PLAIN % "sentence", "list.j2": _PLAIN % "list"}
    files |= entry.get("partials", {})
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    return folder


def outcome(folder: Path) -> str:
    """`refused`, `rendered` to something short and plain, or what went wrong."""
    try:
        messages = load_pack(folder).render("rank", DATA)
    except PromptError:
        return "refused"
    except MemoryError:
        return "took all memory"
    except Exception as error:  # whatever it is, it is the finding
        return f"raised {type(error).__name__}: {error}"[:200]
    text = "".join(message["content"] for message in messages)
    leak = next((leak for leak in _LEAKS if leak in text), None)
    if leak or len(text) > _LONGEST:
        return f"wrote {leak or len(text)}"
    return "rendered"


def _late(*_: object) -> None:
    raise TimeoutError(f"ran longer than {_SECONDS} s")


def main(without: str | None) -> None:
    """Try them all; without one of the guards only until something goes wrong."""
    if without:
        GUARDS[without]()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        signal.signal(signal.SIGALRM, _late)
    entries = yaml.safe_load(TEMPLATES.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as home:
        for number, entry in enumerate(entries):
            folder = build(entry, Path(home) / f"p{number}")
            if without:
                signal.alarm(_SECONDS)
            started = process_time()
            found = outcome(folder)
            took = process_time() - started
            signal.alarm(0)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            row = {"attack": entry["attack"], "outcome": found, "seconds": round(took, 3), "memory": round(memory)}
            sys.stdout.write(json.dumps(row) + "\n")
            if without and found not in {"refused", "rendered"}:
                return


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
