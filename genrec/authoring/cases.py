"""The tests that stand in a template's front matter: what a sample must render to, and what a model must answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genrec.authoring.rendering import Rendered, render
from genrec.authoring.samples import demo_data, read_sample
from genrec.authoring.scene import Scene
from genrec.engine import Engine, Sampling, TokenCounter
from genrec.engine.base import begins_answer, collect
from genrec.errors import AnswerError, PromptError
from genrec.parse import parse_list
from genrec.prompting import Pack, Task
from genrec.prompting.front import Answer, Case
from genrec.ranking import LABELS, list_schema
from genrec.wording import Language

Status = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """One test of one template: what was wrong, empty where nothing was.

    `tokens` are None where the prompt could not be made, `answer` is what a model said.
    """

    file: str
    sample: str
    problems: tuple[str, ...]
    tokens: int | None = None
    answer: str | None = None

    @property
    def passed(self) -> bool:
        return not self.problems


async def run_tests(pack: Pack, tokens: TokenCounter, engine: Engine | None, status: Status) -> list[Outcome]:
    """Run every test of every template; those of answers where there is an engine.

    Raises:
        EngineError: the model does not answer. PromptError: the pack has no demo data.
    """
    found, store, cases = [], demo_data(pack), list(_cases(pack))
    status(f"running {len(cases)} tests")
    for task, language, file, case in cases:
        if engine is not None:
            status(f"asking the model: {file} with sample {case.sample}")
        try:
            scene = read_sample(pack, store, case.sample, language)
            rendered = render(pack, task, scene, tokens)
        except PromptError as error:
            found.append(Outcome(file, case.sample, (str(error),)))
            continue
        problems = list(_of_prompt(case, rendered))
        answer = None
        if engine is not None:
            written = await _ask(engine, pack, task, scene, rendered)
            answer = _begun(rendered) + written
            problems += [] if written.strip() else ["the model wrote nothing"]
            problems += _of_answer(task, scene, case.answer or Answer(), answer)
        found.append(Outcome(file, case.sample, tuple(problems), rendered.total, answer))
    return found


def _cases(pack: Pack) -> Iterator[tuple[Task, Language, str, Case]]:
    for task, language, script in pack.scripts():
        yield from ((task, language, script.file, case) for case in script.front.tests)


def _begun(rendered: Rendered) -> str:
    """What the template wrote of the answer."""
    return rendered.messages[-1]["content"] if begins_answer(rendered.messages) else ""


def _of_prompt(case: Case, rendered: Rendered) -> Iterator[str]:
    text = "\n".join(message["content"] for message in rendered.messages)
    yield from _of_text(text, case.contains, case.lacks)
    if case.tokens is not None and rendered.total > case.tokens:
        yield f"takes {rendered.total} tokens, more than {case.tokens}"
    if not rendered.fits:
        yield f"takes {rendered.total} tokens, more than its budget of {rendered.allowed}"


def _of_text(text: str, contains: tuple[str, ...], lacks: tuple[str, ...]) -> Iterator[str]:
    yield from (f"does not hold {wanted!r}" for wanted in contains if wanted not in text)
    yield from (f"holds {unwanted!r}" for unwanted in lacks if unwanted in text)


async def _ask(engine: Engine, pack: Pack, task: Task, scene: Scene, rendered: Rendered) -> str:
    """What the model writes: for a ranking the label that it finds most likely."""
    labels = LABELS[: len(scene.candidates)]
    if task == "rank":
        scores = await engine.score_labels(rendered.messages, labels)
        return max(scores.logprobs, key=lambda label: scores.logprobs[label])
    said, wanted = pack.front(task, scene.language).sampling, min(scene.request.n, len(labels))
    many = wanted if task == "list" else 1
    schema = list_schema(labels, wanted) if task == "list" else None
    sampling = Sampling(said.max_tokens * many, said.temperature, schema=schema)
    return (await collect(engine.generate(rendered.messages, sampling))).text


def _of_answer(task: Task, scene: Scene, wanted: Answer, answer: str) -> Iterator[str]:
    yield from (f"the answer {problem}" for problem in _of_text(answer, wanted.contains, wanted.lacks))
    if wanted.longest is not None and len(answer) > wanted.longest:
        yield f"the answer has {len(answer)} characters, more than {wanted.longest}"
    if task == "list":
        try:
            parse_list(answer, LABELS[: len(scene.candidates)])
        except AnswerError as error:
            yield str(error)
