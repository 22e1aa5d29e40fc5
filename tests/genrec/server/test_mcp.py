"""The tools of the Model Context Protocol, asked by its own client over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

from genrec.server.mcp import PATH, TOOLS
from tests.genrec.server.conftest import House, bearer


async def _in_session(house: House, secret: str, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """What the list of tools is, then the result of each call."""
    transport = httpx.ASGITransport(house.client.app)  # type: ignore[arg-type]
    client = httpx.AsyncClient(transport=transport, base_url="http://genrec", headers=bearer(secret))
    async with (
        client,
        streamable_http_client(f"http://genrec{PATH}", http_client=client) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        return [await session.list_tools(), *[await session.call_tool(name, given) for name, given in calls]]


def _ask(house: House, *calls: tuple[str, dict[str, Any]], secret: str | None = None) -> list[Any]:
    portal = house.client.portal
    assert portal is not None
    return portal.call(_in_session, house, secret or house.secret, *calls)


def test_each_tool_says_what_it_takes(house: House) -> None:
    [listed] = _ask(house)
    tools = {tool.name: tool for tool in listed.tools}
    assert set(tools) == set(TOOLS)
    recommend = tools["recommend"].input_schema
    assert recommend["required"] == ["user_id"]
    assert "stream" not in recommend["properties"]
    assert "Filter" in recommend["$defs"]
    assert tools["similar_items"].input_schema["required"] == ["item_id"]
    assert (tools["recommend"].annotations.read_only_hint, tools["forget_event"].annotations.destructive_hint) == (
        True,
        True,
    )
    assert all(tool.input_schema["type"] == "object" and tool.description for tool in listed.tools)


def test_tools_do_what_their_routes_do(house: House) -> None:
    _, listed, added, again, similar = _ask(
        house,
        ("recommend", {"user_id": "ann", "n": 2}),
        ("add_event", {"user_id": "ann", "item_id": "oolong-tea", "type": "purchase"}),
        ("recommend", {"user_id": "ann", "n": 6}),
        ("similar_items", {"item_id": "espresso", "n": 2}),
    )
    assert [item["rank"] for item in listed.structured_content["items"]] == [1, 2]
    assert added.structured_content["event_id"]
    assert "oolong-tea" not in {item["item_id"] for item in again.structured_content["items"]}
    assert not similar.is_error


@pytest.mark.parametrize(
    ("tool", "given", "code"),
    [
        ("recommend", {"user_id": "nobody"}, "not_found"),
        ("recommend", {}, "invalid_request"),
        ("recommend", {"user_id": "ann", "n": 9999}, "invalid_request"),
        ("read_item", {"item_id": "../users/ann"}, "not_found"),
        ("add_event", {"user_id": "ann", "item_id": "espresso", "type": "view"}, "forbidden"),
    ],
)
def test_what_a_route_refuses_its_tool_refuses(house: House, tool: str, given: dict[str, Any], code: str) -> None:
    _, answer = _ask(house, (tool, given), secret=house.database.add_key("default", "reader", ["read"]))
    assert answer.is_error
    assert answer.structured_content["error"]["code"] == code


def test_without_a_key_there_are_no_tools(house: House) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert house.client.post(PATH, json=asked, headers={"Authorization": ""}).status_code == 401


def test_tools_are_routes_that_there_are(house: House) -> None:
    spec = house.client.get("/openapi.json").json()
    assert all(method in spec["paths"][path] for method, path in TOOLS.values())
