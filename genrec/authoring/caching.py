"""Whether what is equal comes first, so that requests share what the model has read already."""

from __future__ import annotations

from collections.abc import Iterator

from genrec.authoring.findings import Finding
from genrec.authoring.look import Look
from genrec.authoring.rendering import messages_of
from genrec.authoring.scene import Scene
from genrec.prompting import RenderError, syntax
from genrec.ranking import LABELS
from retrieval import Context, User


def stable_prefix(look: Look) -> Iterator[Finding]:
    """What is equal for all requests comes first, then what is equal for all of a user's, then what is of a request."""
    texts = {messages_of(look.pack, look.task, scene)[0]["content"] for scene in look.scenes.values()}
    if len(texts) > 1:
        problem = "the system text differs between requests, which then share no cache: move it to the user block"
        yield Finding("error", look.file, problem)
        return
    if "history" not in look.front.inputs:
        return
    for name, scene in look.scenes.items():
        if early := _too_early(look, scene):
            what, before = early
            problem = f"shows the {what} before the {before}, which is equal for all requests of a user: move it behind"
            place = syntax.place_of(look.trees, what) or syntax.Place(look.file, 0)
            yield Finding("error", place.file, problem, place.line, sample=name)
            return


def _too_early(look: Look, scene: Scene) -> tuple[str, str] | None:
    """What belongs to this request and stands before what belongs to its user; and before what of that."""
    text, asked = look.text(scene), scene.request
    stable = {"history": scene.but(history=()), "person": scene.but(user=User(user_id=asked.user.user_id))}
    volatile = {
        "candidates": scene.rotated(),
        "context": scene.but(context=Context()),
        "instruction": scene.but(instruction=""),
        "n": scene.but(n=asked.n % len(LABELS) + 1),
    }
    begins = {what: _first_difference(text, _text(look, other)) for what, other in {**stable, **volatile}.items()}
    for what in volatile:
        for before in stable:
            if begins[what] < begins[before] < len(text):
                return what, before
    return None


def _text(look: Look, scene: Scene) -> str | None:
    """None for a request that the template cannot do without, which is found by other checks."""
    try:
        return look.text_of(scene)
    except RenderError:
        return None


def _first_difference(one: str, other: str | None) -> int:
    """Where two texts part; the length of the first where they do not."""
    if other is None or one == other:
        return len(one)
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
