"""What is wrong with the samples of a pack: each file is looked at once, whether or not a template asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from genrec.authoring.findings import Finding
from genrec.authoring.look import Look
from genrec.authoring.samples import SAMPLES, WORST, meant, read_file, sample_names
from genrec.prompting import Pack
from genrec.store import Store
from genrec.wording import Language


def sample_files(pack: Pack, store: Store) -> Iterator[Finding]:
    """All faults of every sample, and files that nobody reads."""
    for path in sorted((pack.folder / SAMPLES).glob("*.*")):
        file = f"{SAMPLES}/{path.name}"
        if problem := _unread(path):
            yield Finding("warning", file, problem)
            continue
        name, _, said = path.stem.partition(".")
        language: Language = "zh" if said == "zh" else "en"
        _, faults = read_file(path, name, store, language)
        yield from (Finding("error", file, fault.problem, fault.line) for fault in faults)


def asked_for(look: Look) -> Iterator[Finding]:
    """Samples that a template or its tests ask for and that are not there."""
    known = [*sample_names(look.pack), WORST]
    for place, name in enumerate(look.front.samples):
        if name not in known:
            yield _missing(look, f"`samples` asks for {name!r}", name, "samples", place)
    for place, case in enumerate(look.front.tests):
        if case.sample not in {*known, *look.front.samples}:
            yield _missing(look, f"a test asks for {case.sample!r}", case.sample, "tests", place, "sample")
    if not known[:-1] and not look.front.samples:
        yield Finding("warning", look.file, "no samples: what it renders is looked at for the demo data only")


def _missing(look: Look, what: str, name: str, *at: str | int) -> Finding:
    problem = f"{what}, a sample that is not there: {meant(name, sample_names(look.pack))}"
    return Finding("error", look.file, problem, look.line(*at))


def _unread(path: Path) -> str | None:
    """Why a file is no sample that anybody reads."""
    name, _, language = path.stem.partition(".")
    if path.suffix != ".yaml":
        return f"is never read: a sample is called {name}.yaml" if path.suffix in {".yml", ".json"} else None
    if name == WORST:
        return f"is never read: {WORST} is made by genrec; give it another name"
    if language and language not in get_args(Language):
        return f"is never read: variants are for {', '.join(get_args(Language))}"
    if language and not path.with_name(f"{name}.yaml").exists():
        return f"is a variant of {name}.yaml, which is not there"
    return None
