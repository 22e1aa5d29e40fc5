"""The service as tools for language models, by the Model Context Protocol: each tool is a route of the API.

A tool call is that request, sent within the process with the caller's key: so it has the same scopes, limits and
errors, and what it takes is what `/openapi.json` says of the route.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import FastAPI
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from starlette.routing import Route

from genrec.tracing import outgoing

PATH = "/v1/mcp"
TOOLS: Mapping[str, tuple[str, str]] = {
    "recommend": ("post", "/v1/recommend"),
    "read_recommendation": ("get", "/v1/recommendations/{recommendation_id}"),
    "next_recommendation": ("get", "/v1/recommendations/{recommendation_id}/next"),
    "explain": ("post", "/v1/explain"),
    "why_not": ("post", "/v1/why-not"),
    "influences": ("post", "/v1/influences"),
    "similar_items": ("get", "/v1/items/{item_id}/similar"),
    "rerank": ("post", "/v1/rerank"),
    "read_item": ("get", "/v1/items/{item_id}"),
    "list_items": ("get", "/v1/items"),
    "read_user": ("get", "/v1/users/{user_id}"),
    "add_event": ("post", "/v1/events"),
    "forget_event": ("delete", "/v1/events/{event_id}"),
    "judge_reason": ("post", "/v1/feedback"),
    "parameters": ("get", "/v1/parameters"),
}
_READING = {"recommend", "explain", "why_not", "influences", "rerank"}
"""Tools that change nothing though they are asked by POST."""
_PASSED_ON = ("authorization", "x-api-key")
_NEVER_STREAMED = "stream"
_REF = "#/components/schemas/"


class ToolServer:
    """Serves the tools at `PATH` of an application, which is asked for what they do."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        server: Server[Any] = Server("genrec", version=app.version, on_list_tools=self._list, on_call_tool=self._call)
        self.sessions = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
        """Has to `run` as long as the application does."""
        app.router.routes.append(Route(PATH, StreamableHTTPASGIApp(self.sessions), methods=["POST"]))

    async def _list(self, _: Any, __: PaginatedRequestParams | None) -> ListToolsResult:
        spec = self._app.openapi()
        return ListToolsResult(tools=[_tool(name, *route, spec) for name, route in TOOLS.items()])

    async def _call(self, context: Any, asked: CallToolRequestParams) -> CallToolResult:
        if asked.name not in TOOLS:
            return _said(f"no tool {asked.name!r}: there are {', '.join(TOOLS)}", failed=True)
        method, path = TOOLS[asked.name]
        given = {name: value for name, value in (asked.arguments or {}).items() if name != _NEVER_STREAMED}
        for name in [name for name in given if f"{{{name}}}" in path]:
            path = path.replace(f"{{{name}}}", quote(str(given.pop(name)), safe=""))
        known = {name: value for name, value in context.request.headers.items() if name in _PASSED_ON}
        known |= outgoing()
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://genrec") as client:
            if method == "post":
                answer = await client.post(path, json=given, headers=known)
            else:
                answer = await client.request(method, path, params=given, headers=known)
        return _said(answer.text or "done", failed=answer.is_error)


def _said(text: str, *, failed: bool) -> CallToolResult:
    try:
        structured = json.loads(text)
    except ValueError:
        structured = None
    return CallToolResult(content=[TextContent(text=text)], structured_content=structured, is_error=failed)


def _tool(name: str, method: str, path: str, spec: Mapping[str, Any]) -> Tool:
    route = spec["paths"][path][method]
    reads = method == "get" or name in _READING
    return Tool(
        name=name,
        description=route["description"],
        input_schema=_input(route, spec["components"]["schemas"]),
        annotations=ToolAnnotations(read_only_hint=reads, destructive_hint=method == "delete"),
    )


def _input(route: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a route as an object, or its parameters as one."""
    asked: dict[str, Any]
    if "requestBody" not in route:
        given = route.get("parameters", [])
        asked = {
            "properties": {one["name"]: one["schema"] for one in given},
            "required": [one["name"] for one in given if one["required"]],
            "additionalProperties": False,
        }
    else:
        asked = route["requestBody"]["content"]["application/json"]["schema"]
        while "$ref" in asked:
            asked = schemas[asked["$ref"].removeprefix(_REF)]
    named = {name: schemas[name] for name in sorted(set(_named(asked, schemas)))}
    properties = {name: of for name, of in asked.get("properties", {}).items() if name != _NEVER_STREAMED}
    whole = {**asked, "type": "object", "properties": properties, "$defs": named}
    local: dict[str, Any] = json.loads(json.dumps(whole).replace(_REF, "#/$defs/"))
    return local


def _named(schema: Any, schemas: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[str]:
    """The schemas that one refers to, however far away."""
    if isinstance(schema, Mapping):
        name = str(schema.get("$ref", "")).removeprefix(_REF)
        if name and name not in above:
            yield name
            yield from _named(schemas[name], schemas, (*above, name))
        for part in schema.values():
            yield from _named(part, schemas, above)
    elif isinstance(schema, list):
        for part in schema:
            yield from _named(part, schemas, above)
