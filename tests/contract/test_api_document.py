"""The OpenAPI document is the one under version control, and says everything that a client must know."""

import json
from pathlib import Path
from typing import Any

from sep_hooks.types import IntentStatus

from sep_core.api import openapi_document

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(openapi_document())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{method} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def test_the_kept_document_is_the_present_one() -> None:
    """A change of the interface is seen in review."""
    assert KEPT.read_bytes() == openapi_document(), "python -m sep_core.api > docs/openapi.json"


def test_every_error_is_a_problem_document() -> None:
    """In each operation, for each status from 400 on."""
    for name, operation in OPERATIONS.items():
        for status, answer in operation["responses"].items():
            assert "X-SEP-Pos" in answer["headers"], (name, status)
            if int(status) >= 400:
                schema = {"$ref": "#/components/schemas/Problem"}
                assert answer["content"] == {"application/problem+json": {"schema": schema}}, (name, status)
        assert {"403", "500", "503"} <= set(operation["responses"]), name


def test_writes_and_only_writes_demand_the_token() -> None:
    """As a security requirement, with its 401."""
    for name, operation in OPERATIONS.items():
        guarded = operation.get("security") == [{"token": []}]
        assert guarded == name.startswith("post "), name
        assert ("401" in operation["responses"]) == guarded, name


def test_patterns_bounds_and_closed_objects_are_kept() -> None:
    """What a generator of clients needs, and stock schemas lose."""
    assert SCHEMAS["Submission"]["additionalProperties"] is False
    assert SCHEMAS["Submission"]["properties"]["assets"]["maxItems"] == 32
    assert SCHEMAS["SubmittedAsset"]["properties"]["address"]["pattern"] == "^0x[0-9a-fA-F]{40}$"
    amount = SCHEMAS["SubmittedLeg"]["properties"]["amount"]["anyOf"][0]
    assert amount == {"pattern": "^(0|[1-9][0-9]{0,77})$", "type": "string"}
    assert SCHEMAS["IntentView"]["properties"]["fills"]["items"] == {"$ref": "#/components/schemas/FillView"}
    limit = next(one for one in OPERATIONS["get /v1/intents"]["parameters"] if one["name"] == "limit")
    assert limit["schema"] == {"default": 50, "maximum": 500, "minimum": 1, "type": "integer"}


def test_the_filter_knows_every_status() -> None:
    """One more status in the contract is one more here."""
    status = next(one for one in OPERATIONS["get /v1/intents"]["parameters"] if one["name"] == "status")
    assert status["schema"]["enum"] == list(IntentStatus)


def test_no_amount_is_a_number() -> None:
    """Binary floats have no place in answers."""
    for name, schema in SCHEMAS.items():
        if not name.startswith("Submi"):
            assert '"type": "number"' not in json.dumps(schema), name


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    """Nothing of the framework's own leaks into the document."""
    text = json.dumps(DOCUMENT)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named == set(SCHEMAS)
    assert "litestar" not in text.lower()


def test_each_operation_says_what_it_does() -> None:
    """A sentence, a stable id, a group."""
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))
    for name, operation in OPERATIONS.items():
        assert operation["description"].endswith("."), name
        assert operation["tags"], name
