"""The read side in OpenAPI: whatever a generated request asks, the answer is one that was declared."""

import pytest
from generated_requests import CHECKS, write_requests
from reads_world import ServedReads
from schemathesis import GenerationMode

from fmar_spark.services.capability.capability_app import ROUTERS

PATHS = {route.path_format for router in ROUTERS for route in router.routes if getattr(route, "include_in_schema", False)}


def test_every_operation_has_a_title_an_id_and_an_example(reads: ServedReads) -> None:
    document = reads.http.get("/openapi.json").json()
    operations = [methods["get"] for path, methods in document["paths"].items() if path in PATHS]
    assert len(operations) == 21
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"]
        content = one["responses"]["200"]["content"]
        assert content["application/json"]["example"]
        assert all("description" in parameter for parameter in one.get("parameters", ()))


@pytest.mark.parametrize("party_id", ["OFFICE", "ALPHA"])
def test_generated_requests_get_declared_answers(reads: ServedReads, party_id: str) -> None:
    headers = {"Authorization": f"Bearer {reads.token(party_id)}"}
    for case in write_requests(reads.http.app, GenerationMode.POSITIVE, 6, {}, PATHS):
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=120)
