"""Whether what a template names is there: its inputs, the user's fields, attributes, fields of contexts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import get_args

from genrec.authoring.findings import Finding
from genrec.authoring.look import Look
from genrec.authoring.samples import meant
from genrec.authoring.worst import worst
from genrec.prompting import syntax
from genrec.prompting.front import Input
from genrec.prompting.missing import NEVER_SEEN
from genrec.store import Store
from retrieval import Context

_ALWAYS = frozenset(Context.model_fields)
"""Fields of every context."""


def inputs(look: Look) -> Iterator[Finding]:
    """Inputs that are declared and used by none, and the other way round; a slip is named once, where it stands."""
    used = syntax.variables(look.pack, look.file, look.language)
    declared = set(look.front.inputs)
    slips: set[str] = set()
    for name in sorted(used - declared):
        place = syntax.place_of(look.trees, name) or syntax.Place(look.file, 1)
        if name in get_args(Input):
            problem = f"uses {name!r}, which the inputs of {look.file} do not declare"
        else:
            slips.update(get_close_matches(name, get_args(Input), 1))
            problem = f"uses {name!r}, which nobody gives it: {meant(name, get_args(Input))}"
        yield Finding("error", place.file, problem, place.line)
    for name in sorted(declared - used - slips):
        line = look.line("inputs", look.front.inputs.index(name))
        yield Finding("error", look.file, f"declares the input {name!r} and does not use it", line)


def users_fields(look: Look) -> Iterator[Finding]:
    """Fields of the user that are shown and not allowed, or allowed and not there."""
    allowed = look.front.user_fields
    for field in syntax.fields(look.trees):
        if field.owner == "user" and field.name not in allowed:
            near = f": {meant(field.name, allowed)}" if get_close_matches(field.name, allowed, 1) else ""
            problem = f"shows the user's {field.name!r}, which user_fields does not allow{near}"
            yield Finding("error", field.place.file, problem, field.place.line)
    known = _of_users(look.store)
    for place, name in enumerate(allowed):
        if name not in known:
            problem = f"user_fields holds {name!r}, which no user of the demo data has: {meant(name, known)}"
            yield Finding("warning", look.file, problem, look.line("user_fields", place))


def fields(look: Look) -> Iterator[Finding]:
    """Attributes, context fields and others that nothing in the demo data has, which `is defined` would hide."""
    items = {name for item in look.store.items for name in item.attributes}
    contexts = _ALWAYS | _of_contexts(look)
    others = _fixed(look) | items | contexts | _of_users(look.store)
    for field in syntax.fields(look.trees):
        match field.owner:
            case "item" if field.name not in items:
                problem = f"names attributes.{field.name}, which no item of the demo data has"
                known: Collection[str] = items
            case "context" if field.name not in contexts:
                problem = f"names context.{field.name}, which no sample and no event of the demo data has"
                known = contexts
            case "other" if field.name not in others:
                seen = "a template never sees" if field.name in NEVER_SEEN else "nothing that a template sees has"
                problem = f"names {field.name!r}, which {seen}"
                known = others if field.name not in NEVER_SEEN and get_close_matches(field.name, others, 1) else ()
            case _:
                continue
        near = f": {meant(field.name, known)}" if known else ""
        yield Finding("warning", field.place.file, problem + near, field.place.line)


def _of_users(store: Store) -> set[str]:
    return {name for user_id in store.user_ids for name in store.user(user_id).attributes}


def _of_contexts(look: Look) -> set[str]:
    contexts = [event.context for event in look.store.events if event.context]
    contexts += [scene.request.context for scene in look.scenes.values()]
    return {name for context in contexts for name in context.fields()}


def _fixed(look: Look) -> set[str]:
    """What every item, event, user and piece of evidence has."""
    data = worst(look.pack, look.store, look.language).data()
    kept = (data["candidates"][0], data["history"][0], data["evidence"][0], data["user"])
    return {name for part in kept for name in part}
