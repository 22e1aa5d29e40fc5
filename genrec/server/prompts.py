"""A tenant's prompts: the packs that ship with genrec, and versions of the tenant's own in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from genrec import runner
from genrec.authoring.cases import Outcome, run_tests
from genrec.authoring.differences import Difference, differences
from genrec.authoring.lint import Finding, lint
from genrec.authoring.rendering import Rendered, render
from genrec.authoring.samples import demo_data, read_sample
from genrec.engine import Engine
from genrec.engine.base import Messages
from genrec.errors import Conflict, NotFound, PromptError
from genrec.prompting import Pack, Task, load_pack, make_pack, pack_names
from genrec.prompting.versions import LABELS, Label, Move, before
from genrec.store.database import Tenant
from genrec.wording import Language

SERVED: Label = "production"
"""The version that answers, where the tenant has put this label on one."""
_COMPILED = 64


class Prompts:
    """What one tenant's prompts are. Every method may raise StoreError."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    @property
    def served(self) -> str:
        """The name of the pack that answers."""
        return self._tenant.pack

    def names(self) -> list[str]:
        """Every pack, that of the tenant first."""
        return list(dict.fromkeys([self.served, *pack_names()]))

    def pack(self, name: str, at: str | None = None) -> Pack:
        """A pack at a label or version; None is what answers: at `production`, or as it ships.

        Raises:
            NotFound: no such pack, label or version.
        """
        base, stand = self._base(name), self.labels(name)
        version = stand.get(at or SERVED, at or base.version)
        if version == base.version:
            return base
        if version in LABELS:
            raise NotFound(f"label {version!r} of {name!r} stands nowhere: put it on a version first")
        return _compiled(name, base.folder, tuple(self._tenant.prompt(name, version).items()))

    def draft(self, name: str, at: str | None, files: Mapping[str, str | None]) -> Pack:
        """A pack with some of its files changed, None takes one away; nothing is kept.

        Raises:
            NotFound: as `pack`. PromptError: what results cannot be used.
        """
        texts = {**self.pack(name, at).sources, **files}
        kept = tuple((file, text) for file, text in texts.items() if text is not None)
        return _compiled(name, self._base(name).folder, kept)

    def keep(self, pack: Pack) -> None:
        """Keep a version for ever."""
        self._tenant.keep_prompt(pack.name, pack.version, pack.sources)

    def keep_next(self, pack: Pack, seen: str) -> None:
        """Keep a version, if none was kept since `seen` was the newest; versions never change, so none is lost.

        Raises:
            Conflict: one was. Two processes at the same moment may both keep one; then both are there.
        """
        if (newest := self.newest(pack.name)) not in {seen, pack.version}:
            raise Conflict(f"version {newest} of {pack.name!r} was kept since you began: look at it first")
        self.keep(pack)

    def newest(self, name: str) -> str:
        """The version that was kept last, or the one that ships."""
        return str(self.versions(name)[-1]["version"])

    def versions(self, name: str) -> list[dict[str, Any]]:
        """The version that ships and every one that is kept, oldest first, with the labels that stand at them."""
        base, stand = self._base(name), self.labels(name)
        times = {kept.version: kept.created_at.isoformat() for kept in self._tenant.prompt_versions(name)}
        times.pop(base.version, None)  # one that ships is kept too once a label stood at it
        return [
            {"version": version, "created_at": time, "labels": [label for label in stand if stand[label] == version]}
            for version, time in {base.version: None, **times}.items()
        ]

    def labels(self, name: str) -> dict[str, str]:
        """The version that each label stands at."""
        return {move.label: move.version for move in self.moves(name)}

    def moves(self, name: str) -> list[Move]:
        """Every move of every label, oldest first."""
        return [Move(**vars(move)) for move in self._tenant.label_moves(name)]

    def promote(self, pack: Pack, label: Label, engine: Engine, expected: str | None) -> None:
        """Put a label on a version in which lint and tests find nothing.

        Raises:
            PromptError: they do. Conflict: the label does not stand at `expected`.
        """
        errors = [one.said(Path()) for one in self.lint(pack, engine) if one.level == "error"]
        tests = self.test(pack, engine)
        errors += [f"{one.file}, sample {one.sample}: {said}" for one in tests for said in one.problems]
        if errors:
            raise PromptError(f"{pack.name}@{pack.version} is not promoted: {'; '.join(errors)}")
        self.keep(pack)
        self._tenant.move_label(pack.name, label, pack.version, by="promote", expected=expected)

    def rollback(self, name: str, label: Label, expected: str | None) -> str:
        """Put a label back to where it stood before: that version. Before all others what ships answered.

        Raises:
            PromptError: it never stood elsewhere. Conflict: it does not stand at `expected`.
        """
        base = self._base(name)
        unsaid = [Move(SERVED, base.version, "", "promote")]
        version = before([*unsaid, *self.moves(name)], label, name)
        if version == base.version:
            self.keep(base)
        self._tenant.move_label(name, label, version, by="rollback", expected=expected)
        return version

    def render(self, pack: Pack, task: Task, sample: str, language: Language, engine: Engine) -> Rendered:
        """What a sample of the pack makes. Raises PromptError."""
        return render(pack, task, read_sample(pack, demo_data(pack), sample, language), _Counter(engine))

    def differences(
        self, before: Pack, after: Pack, engine: Engine, *, only: Task | None = None, sample: str = ""
    ) -> list[Difference]:
        """What changes in the prompts that are sent, by the samples of the later one. Raises PromptError."""
        return differences(before, after, _Counter(engine), only=only, sample=sample)

    def lint(self, pack: Pack, engine: Engine) -> list[Finding]:
        """What is wrong with a pack."""
        return lint(pack, _Counter(engine))

    def test(self, pack: Pack, engine: Engine) -> list[Outcome]:
        """The tests that stand in its templates, of what is rendered."""
        return asyncio.run(run_tests(pack, _Counter(engine), None, lambda _: None))  # not where `_Counter` waits

    def _base(self, name: str) -> Pack:
        if name not in self.names():
            raise NotFound(f"no prompts {name!r}: there are {', '.join(self.names())}")
        return _shipped(name)


@lru_cache
def _shipped(name: str) -> Pack:
    """A pack as it was when the service began, named by itself and not by where it is installed."""
    found = load_pack(name)
    return _compiled(name, found.folder, tuple(found.sources.items()))


@lru_cache(_COMPILED)
def _compiled(name: str, folder: Path, files: tuple[tuple[str, str], ...]) -> Pack:
    return make_pack(dict(files), name, Path(name), folder)


class _Counter:
    """Counts by the engine that will read the prompts. Not for the engine's own loop, which it waits for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, messages: Messages) -> int:
        return runner.run(self._engine.count_tokens(messages))

    def of_texts(self, texts: Sequence[str]) -> list[int]:
        nothing = self.of([{"role": "user", "content": ""}])
        return [self.of([{"role": "user", "content": text}]) - nothing for text in texts]
