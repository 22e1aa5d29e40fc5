"""`genrec prompt list | new | show | render | lint | diff | test | promote | rollback`."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from genrec import runner
from genrec.arguments import AsJson, InLanguage, LanguageName, Model, one_of
from genrec.authoring.cases import Outcome, run_tests
from genrec.authoring.differences import Difference, changed_settings, differences, fresh
from genrec.authoring.findings import Finding
from genrec.authoring.lint import lint
from genrec.authoring.rendering import Rendered, render
from genrec.authoring.samples import WORST, demo_data, read_sample, sample_names
from genrec.engine import Tokens, cache_folder, default_model, resolve
from genrec.errors import PromptError
from genrec.parts import start_engine
from genrec.prompting import TASKS, Pack, PackError, Task, find_pack, load_pack, pack_folder, pack_names
from genrec.prompting.versions import LABELS, Label, labels, moves, promote, rollback
from genrec.terminal import Terminal, terminal
from genrec.wording import Language

prompts = typer.Typer(help="Write, test, compare and release prompts.", no_args_is_help=True)

_OWN = "local"


PackArgument = Annotated[
    str,
    typer.Argument(metavar="PACK", help="Name or folder of prompts; PACK@production or PACK@VERSION for a kept one."),
]
InLabel = Annotated[
    Label, typer.Option("--label", parser=one_of(LABELS), metavar="|".join(LABELS), help="Which label is moved.")
]
_task = partial(typer.Option, "--task", parser=one_of(TASKS), metavar="|".join(TASKS))


@prompts.command("list", epilog="Example: genrec prompt list --json")
def list_packs(as_json: AsJson = False) -> None:
    """List the packs that ship with genrec and those in this folder."""
    with terminal(_log()) as screen:
        here = sorted(path.parent for path in Path().glob("*/rank.j2"))
        folders = {**{name: pack_folder() / name for name in pack_names()}, **{f"./{path}": path for path in here}}
        rows = [_row(name, folder) for name, folder in folders.items()]
        if as_json:
            screen.json({"packs": rows})
        else:
            screen.table(rows)


@prompts.command(epilog="Example: genrec prompt new my-films --from movies")
def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to make; it must not exist yet.")],
    source: Annotated[
        str, typer.Option("--from", metavar="PACK", help="Name, folder or kept version of prompts to start from.")
    ],
) -> None:
    """Begin a pack of your own as a copy of another, with its samples, tests and demo data."""
    origin = load_pack(source)
    if str(folder) in pack_names():
        raise PromptError(f"{str(folder)!r} ships with genrec: give your copy another name, as in my-{folder}")
    if folder.exists():
        raise PromptError(f"{str(folder)!r} is there already: name a folder that is not")
    shutil.copytree(origin.folder, folder, ignore=shutil.ignore_patterns(".versions", "*.j2", "adapters"))
    for file, text in origin.sources.items():
        (folder / file).write_text(text, encoding="utf-8")
    for path in folder.rglob("genrec.yaml"):
        path.unlink()  # it names the pack that this was copied from
    mine = shlex.quote(str(folder))
    typer.echo(
        f"{folder}: a copy of {source}; edit {folder}/_system.j2, then genrec prompt diff {shlex.quote(source)} {mine}"
    )


@prompts.command(epilog="Example: genrec prompt show movies --task rank")
def show(
    pack: PackArgument,
    task: Annotated[Task | None, _task(help="Its source too.")] = None,
    language: InLanguage = LanguageName.en,
    as_json: AsJson = False,
) -> None:
    """Show what a pack says about itself, and where its labels stand and stood."""
    loaded = load_pack(pack)
    with terminal(_log()) as screen:
        if as_json:
            screen.json({**_about(loaded), "files": dict(loaded.sources)})
            return
        about = _about(loaded)
        screen.line(f"{about['pack']}@{about['version']}, languages {', '.join(about['languages'])}")
        screen.line()
        screen.table(about["templates"])
        if about["moves"]:
            screen.line()
            screen.table(about["moves"])
        if task:
            script = loaded.script(task, language.value)
            screen.line(f"\n{script.file}:\n\n{loaded.sources[script.file]}")


@prompts.command("render", epilog="Example: genrec prompt render movies --task rank --sample regular --language zh")
def render_sample(
    pack: PackArgument,
    task: Annotated[Task, _task(help="Which prompt.")] = "rank",
    sample: Annotated[str, typer.Option("--sample", help="Which request; 'worst' is the longest that can come.")] = "",
    language: InLanguage = LanguageName.en,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Show the messages that a sample makes, their tokens, and what the budget cut."""
    loaded = load_pack(pack)
    with terminal(_log()) as screen:
        name = sample or _first_sample(loaded, task, language.value)
        scene = read_sample(loaded, demo_data(loaded), name, language.value)
        found = render(loaded, task, scene, _tokens(screen, model))
        screen.status("")
        if as_json:
            screen.json({"pack": loaded.name, "version": loaded.version, "sample": name, **asdict(found)})
        else:
            _show_rendered(screen, f"{loaded.name}@{loaded.version}, sample {name}", found)
    if not found.fits:
        raise PromptError(f"{found.total} tokens do not fit into a budget of {found.allowed}: show less, or raise it")


@prompts.command("lint", epilog="Example: genrec prompt lint my-films")
def lint_pack(pack: PackArgument, model: Model = None, as_json: AsJson = False) -> None:
    """Look for what is wrong: variables, output rules, what breaks caches, personal fields, budgets."""
    with terminal(_log()) as screen:
        name, version, home, found = _linted(screen, pack, model)
        screen.status("")
        errors = sum(finding.level == "error" for finding in found)
        if as_json:
            screen.json({"pack": name, "version": version, "findings": [asdict(finding) for finding in found]})
        else:
            for finding in found:
                screen.line(f"{finding.level}: {finding.said(home)}")
            counted = f"{_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}"
            screen.line(f"{name}@{version}: {counted}" if version else f"{name}: {counted}")
    if errors:
        raise typer.Exit(1)


@prompts.command("test", epilog="Example: genrec prompt test my-films; with real answers: --engine local")
def check_pack(
    pack: PackArgument,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="URL", help="Test answers too: a server, or 'local' for a vLLM of our own."),
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Run the tests that stand in the templates' front matter."""
    loaded = load_pack(pack)
    with terminal(_log()) as screen:
        found = runner.run(_tested(screen, loaded, engine, model))
        screen.status("")
        failed = [outcome for outcome in found if not outcome.passed]
        if as_json:
            screen.json({"pack": loaded.name, "version": loaded.version, "tests": [asdict(one) for one in found]})
        else:
            for outcome in found:
                _show_outcome(screen, outcome)
            screen.line(f"{loaded.name}@{loaded.version}: {len(found) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


@prompts.command("diff", epilog="Example: genrec prompt diff my-films@production my-films")
def diff_packs(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="Name, folder or kept version of prompts.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Those that are to take its place.")],
    task: Annotated[Task | None, _task(help="Only this prompt.")] = None,
    sample: Annotated[str, typer.Option("--sample", help="Only this request of AFTER.")] = "",
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Show what changes in the prompts that are sent, for each sample of AFTER."""
    was, now = load_pack(before), load_pack(after)
    with terminal(_log()) as screen:
        found = differences(was, now, _tokens(screen, model), only=task, sample=sample)
        settings = changed_settings(was, now)
        screen.status("")
        if as_json:
            rows = {"differences": [asdict(one) for one in found], "settings": [asdict(one) for one in settings]}
            screen.json({"before": was.version, "after": now.version, **rows})
            return
        for change in settings:
            screen.line(f"{change.task}, {change.language}: {change.setting}: {change.before} -> {change.after}")
        _show_differences(screen, found)
        if not found and not settings:
            same = f"{was.name}@{was.version} and {now.name}@{now.version} send the same prompts"
            screen.line(f"{same} for {sample or 'the samples of ' + now.name}")


@prompts.command("promote", epilog="Example: genrec prompt promote my-films --label candidate")
def promote_pack(pack: PackArgument, label: InLabel = "production", model: Model = None) -> None:
    """Keep this version for ever and put a label on it, if lint and tests find nothing wrong."""
    loaded = load_pack(pack)
    with terminal(_log()) as screen:
        tokens = _tokens(screen, model)
        found = lint(loaded, tokens)
        outcomes = runner.run(run_tests(loaded, tokens, None, screen.status))
        screen.status("")
        for finding in found:
            screen.line(f"{finding.level}: {finding.said(loaded.home)}")
        errors = sum(finding.level == "error" for finding in found)
        for one in outcomes:
            if one.tokens is not None or not errors:  # lint has said what cannot be rendered
                errors += len(one.problems)
                for problem in one.problems:
                    screen.line(f"error: {loaded.home / one.file}, sample {one.sample}: {problem}")
        if errors:
            raise PromptError(f"{loaded.name}@{loaded.version} is not promoted: {_count(errors, 'problem')}")
        stood = labels(loaded.folder).get(label, "nothing")
        if promote(loaded, label):
            screen.line(f"{loaded.name}@{label}: {stood} -> {loaded.version}, {len(outcomes)} tests passed")
        else:
            screen.line(f"{loaded.name}@{label}: stands at {stood} already")


@prompts.command("rollback", epilog="Example: genrec prompt rollback my-films")
def rollback_pack(pack: PackArgument, label: InLabel = "production") -> None:
    """Put a label back to the version at which it stood before."""
    folder = find_pack(pack)
    stood = labels(folder).get(label, "nothing")
    move = rollback(folder, label)
    typer.echo(f"{folder.resolve().name}@{move.label}: {stood} -> {move.version}")


async def _tested(screen: Terminal, pack: Pack, engine: str | None, model: str | None) -> list[Outcome]:
    tokens = _tokens(screen, model)
    if engine is None:
        return await run_tests(pack, tokens, None, screen.status)
    running = await start_engine(None if engine == _OWN else engine, model, screen.status)
    try:
        return await run_tests(pack, tokens, running, screen.status)
    finally:
        await running.close()


def _linted(screen: Terminal, pack: str, model: str | None) -> tuple[str, str | None, Path, list[Finding]]:
    """A pack's name, version and home, with what is wrong; what keeps it from being compiled has no version."""
    try:
        loaded = load_pack(pack)
    except PackError as error:
        found = [Finding("error", fault.file, fault.cause, fault.line) for fault in error.faults]
        return pack, None, error.faults[0].folder, found
    return loaded.name, loaded.version, loaded.home, lint(loaded, _tokens(screen, model))


def _show_outcome(screen: Terminal, outcome: Outcome) -> None:
    said = f", answer {outcome.answer!r}" if outcome.answer is not None else ""
    mark = "passed" if outcome.passed else "FAILED"
    tokens = f", {outcome.tokens} tokens" if outcome.tokens is not None else ""
    screen.line(f"{mark}: {outcome.file}, sample {outcome.sample}{tokens}{said}")
    for problem in outcome.problems:
        screen.line(f"   {problem}")


def _row(name: str, folder: Path) -> dict[str, Any]:
    """A broken pack is listed with what is wrong with it."""
    try:
        pack = load_pack(folder)
    except PromptError as error:
        return {"pack": name, "version": "-", "languages": "-", **dict.fromkeys(LABELS, "-"), "what for": str(error)}
    stand = labels(folder)
    return {
        "pack": name,
        "version": pack.version,
        "languages": ", ".join(pack.languages),
        **{label: stand.get(label, "-") for label in LABELS},
        "what for": pack.front("rank").description,
    }


def _about(pack: Pack) -> dict[str, Any]:
    rows = [
        {
            "template": script.file,
            "answer": script.front.output,
            "answer tokens": script.front.sampling.max_tokens,
            "budget": script.front.budget.tokens or "-",
            "user fields": ", ".join(script.front.user_fields) or "-",
            "tests": len(script.front.tests),
            "description": script.front.description,
        }
        for _, _, script in pack.scripts()
    ]
    stood = [asdict(move) for move in moves(pack.folder)]
    return {"pack": pack.name, "version": pack.version, "languages": pack.languages, "templates": rows, "moves": stood}


def _first_sample(pack: Pack, task: Task, language: Language) -> str:
    """The sample that is shown where none is named."""
    return next(iter(pack.front(task, language).samples or sample_names(pack)), WORST)


def _show_rendered(screen: Terminal, what: str, found: Rendered) -> None:
    for message, tokens in zip(found.messages, found.tokens, strict=True):
        screen.line(f"[{message['role']}, {tokens} tokens]\n{message['content']}\n")
    allowed = f" of {found.allowed}" if found.allowed else ""
    cut = f"the budget cut {found.shortened()}" if found.shortened() else "nothing was cut"
    screen.line(f"{what}: {found.total}{allowed} tokens; {cut}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _show_differences(screen: Terminal, found: list[Difference]) -> None:
    """Each change once."""
    for one, hunks in zip(found, fresh(found), strict=True):
        screen.line(f"\n{one.task}, {one.language}, sample {one.sample}: {one.tokens[0]} -> {one.tokens[1]} tokens")
        for hunk in hunks:
            screen.line("\n".join(hunk))
        if repeated := len(one.hunks) - len(hunks):
            screen.line(f" ({_count(repeated, 'change')} as above)")


def _tokens(screen: Terminal, model: str | None) -> Tokens:
    name = model or default_model()
    screen.status(f"loading the tokenizer of {name}")
    return Tokens(resolve(name, screen.status))


def _log() -> Path:
    return cache_folder() / "log.txt"
