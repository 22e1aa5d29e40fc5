"""The requests of an API that take ids, read from its OpenAPI description: each operation, each place for an id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS = {
    "item_id": "item_id",
    "user_id": "user_id",
    "event_id": "event_id",
    "recommendation_id": "recommendation_id",
    "allow": "item_id",
    "deny": "item_id",
    "after": "item_id",
    "version": "version",
    "at": "version",
    "prompt": "version",
}
"""What fields take: the kind of thing that their ids stand for."""
_LISTS = {"allow", "deny"}
_SHARED = {"name", "label"}
"""Path parameters that name nothing of one tenant's."""
_READING = {"/v1/recommend", "/v1/recommend/batch", "/v1/explain", "/v1/why-not", "/v1/influences", "/v1/rerank"}
"""What is asked by POST and changes nothing of what a tenant has put."""


@dataclass(frozen=True)
class Place:
    """Where an id goes: `field` of the path, the query or, at the end of `way`, the body."""

    kind: str
    where: str
    field: str
    way: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Operation:
    """A method of a path, and a body that is an example of what it takes."""

    method: str
    path: str
    example: Any

    @property
    def reads(self) -> bool:
        """Whether it is there to read."""
        return self.method == "GET" or self.path in _READING or self.path.endswith(("/lint", "/render", "/test"))

    def request(self, place: Place, value: str, own: Mapping[str, str]) -> dict[str, Any]:
        """The arguments of `httpx.Client.request` with a value in one place, and `own` in all others."""
        inside = {**own, place.field: value} if place.where == "path" else own
        url = self.path.format_map(_Filled(inside))
        body = _filled(self.example, own)
        if place.where == "body":
            body = _put(body, place.way, [value] if place.field in _LISTS else value)
        query = {place.field: value} if place.where == "query" else {}
        return {"method": self.method, "url": url, "json": body, "params": query, "headers": {"If-Match": '"none"'}}


class _Filled(dict[str, str]):
    """A parameter that nobody knows is an id that nobody has."""

    def __missing__(self, name: str) -> str:
        return "unknown"


def operations(described: Mapping[str, Any]) -> Iterator[tuple[Operation, Place]]:
    """Every place for an id.

    Raises:
        ValueError: a parameter of a path that nobody here knows: say in KINDS what it stands for.
    """
    for path, methods in described["paths"].items():
        for method, spec in methods.items():
            if not path.startswith("/v1/"):
                continue
            bodies = _bodies(spec, described)
            first = Operation(method.upper(), path, _example(bodies[0]))
            for parameter in spec.get("parameters", ()):
                yield from ((first, place) for place in _parameter(parameter, path))
            for schema in bodies:
                operation = Operation(method.upper(), path, _example(schema))
                yield from ((operation, place) for place in _fields(schema, described, ()))
                yield from ((operation, place) for place in _rows(operation.example))


def _parameter(parameter: Mapping[str, Any], path: str) -> Iterator[Place]:
    name, where = parameter["name"], parameter["in"]
    if name in KINDS:
        yield Place(KINDS[name], where, name)
    elif where == "path" and name not in _SHARED:
        raise ValueError(f"{path}: what does {name!r} stand for? say it in eval/service/operations.py")


def _bodies(spec: Mapping[str, Any], described: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The schemas of the bodies that an operation takes; an empty one where it takes none."""
    for content in spec.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        choices = schema.get("anyOf") or schema.get("oneOf") or [schema]
        return [_resolved(choice, described) for choice in choices]
    return [{}]


def _resolved(schema: dict[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without references and alternatives: the first of them."""
    while True:
        if ref := schema.get("$ref"):
            schema = described["components"]["schemas"][ref.rsplit("/", 1)[1]]
        elif "properties" not in schema and (choice := schema.get("anyOf") or schema.get("oneOf")):
            schema = choice[0]
        else:
            return schema


def _example(schema: Mapping[str, Any]) -> Any:
    return next(iter(schema.get("examples", ())), None)


def _fields(schema: dict[str, Any], described: Mapping[str, Any], way: tuple[str, ...]) -> Iterator[Place]:
    for name, inner in schema.get("properties", {}).items():
        if name in KINDS:
            yield Place(KINDS[name], "body", name, (*way, name))
        elif name not in {"context", "attributes"}:
            yield from _fields(_resolved(inner, described), described, (*way, name))


def _rows(example: Any) -> Iterator[Place]:
    """Places in the first row of a batch, whose schema says nothing of rows."""
    for name, rows in example.items() if isinstance(example, dict) else ():
        if isinstance(rows, list) and rows and isinstance(rows[0], dict):
            kinds = KINDS.keys() & {*rows[0], *({"recommendation_id", "event_id"} if name == "events" else ())}
            yield from (Place(KINDS[field], "body", field, (name, 0, field)) for field in sorted(kinds))


def _filled(part: Any, own: Mapping[str, str]) -> Any:
    """An example with ids that are there."""
    if isinstance(part, list):
        return [_filled(each, own) for each in part]
    if isinstance(part, dict):
        return {name: own.get(name, _filled(value, own)) for name, value in part.items() if name != "event_id"}
    return part


def _put(part: Any, way: Sequence[str | int], value: Any) -> Any:
    """A copy with a value at the end of a way."""
    if not way:
        return value
    first, *rest = way
    if isinstance(part, list):
        return [_put(each, rest, value) if place == first else each for place, each in enumerate(part)]
    return {**(part or {}), first: _put((part or {}).get(first), rest, value)}
