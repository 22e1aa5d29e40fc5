"""One template in one language, as the checks of lint look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from genrec.authoring.rendering import messages_of
from genrec.authoring.samples import read_sample, sample_names
from genrec.authoring.scene import Scene
from genrec.engine import TokenCounter
from genrec.errors import PromptError
from genrec.prompting import Pack, Script, Task, syntax
from genrec.prompting.front import FrontMatter, split
from genrec.prompting.strict import line_of
from genrec.store import Store
from genrec.wording import Language


@dataclass(frozen=True)
class Look:
    """What is asked of a template many times is worked out once."""

    pack: Pack
    store: Store
    task: Task
    language: Language
    script: Script
    tokens: TokenCounter
    _texts: dict[str, str] = field(default_factory=dict)

    @property
    def front(self) -> FrontMatter:
        return self.script.front

    @property
    def file(self) -> str:
        return self.script.file

    @cached_property
    def trees(self) -> syntax.Trees:
        """Its syntax and that of its partials."""
        return syntax.trees(self.pack, self.file, self.language)

    @cached_property
    def scenes(self) -> Mapping[str, Scene]:
        """Its samples and those of its tests; what cannot be read is told of the sample's file."""
        wanted = [*(self.front.samples or sample_names(self.pack)), *(case.sample for case in self.front.tests)]
        found = {}
        for name in dict.fromkeys(wanted):
            try:
                found[name] = read_sample(self.pack, self.store, name, self.language)
            except PromptError:
                continue
        return found

    def text(self, scene: Scene) -> str:
        """All messages of a sample, one behind the other. Raises RenderError."""
        if scene.name not in self._texts:
            self._texts[scene.name] = self.text_of(scene)
        return self._texts[scene.name]

    def text_of(self, scene: Scene) -> str:
        """As `text`, of a scene that is no sample."""
        return "\n".join(message["content"] for message in messages_of(self.pack, self.task, scene))

    def line(self, *path: str | int) -> int | None:
        """The line of a key, or of a place of a list, in its front matter."""
        return line_of(split(self.pack.sources[self.file])[1] or "", *path)
