"""The description of the API: an example for every body, the errors of every route."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from genrec.server import bodies
from tests.genrec.server.conftest import House


@pytest.fixture
def described(standing_house: House) -> dict[str, Any]:
    found: dict[str, Any] = standing_house.client.get("/openapi.json", headers={"Authorization": ""}).json()
    return found


def _operations(described: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_says_what_it_does_and_how_it_fails(described: dict[str, Any]) -> None:
    for name, operation in _operations(described):
        assert operation["description"], name
        assert operation["tags"], name
        if "/v1/" in name:
            assert {"401", "403", "413", "422", "429", "500", "503"} <= set(operation["responses"]), name
            said = operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"]
            assert said.endswith("/ErrorBody"), name
        if "{" in name and not name.startswith("PUT") and name != "DELETE /v1/users/{user_id}":
            assert "404" in operation["responses"], name


def test_every_body_has_an_example_that_is_one(described: dict[str, Any]) -> None:
    for name, operation in _operations(described):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            kinds = _kinds(content["schema"])
            examples = [(kind, e) for kind in kinds for e in described["components"]["schemas"][kind]["examples"]]
            assert examples or content["examples"], name
            for kind, example in examples:
                TypeAdapter(getattr(bodies, kind)).validate_python(example)


def _kinds(schema: dict[str, Any]) -> list[str]:
    parts = [schema, *schema.get("oneOf", []), *schema.get("anyOf", [])]
    return [part["$ref"].rsplit("/", 1)[1] for part in parts if "$ref" in part]


def test_there_is_no_page_that_needs_foreign_scripts(standing_house: House) -> None:
    assert standing_house.client.get("/docs").status_code == 404
    assert standing_house.client.get("/redoc").status_code == 404


def test_texts_names_and_sets_are_described_as_they_are_taken(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    item = schemas["ItemBody"]["properties"]
    assert item["description"]["pattern"] == r"^[^\x00]*$"
    assert item["attributes"]["propertyNames"] == {"maxLength": 256, "pattern": r"^[^\x00]*$"}
    assert "uniqueItems" not in str(schemas["Filter"])
    assert schemas["ItemBody"]["examples"] == bodies.ItemBody.model_config["json_schema_extra"]["examples"]
    ids = described["paths"]["/v1/items/{item_id}"]["get"]["parameters"]
    assert ids[0]["schema"]["maxLength"] == 256
