"""The read side in OpenAPI: whatever a generated request asks, the answer is one that was declared."""

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from reads_world import ServedReads
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from fmar_spark.services.capability.capability_app import ROUTERS

PATHS = {route.path_format for router in ROUTERS for route in router.routes if getattr(route, "include_in_schema", False)}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


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
    document = schemathesis.openapi.from_asgi("/openapi.json", reads.http.app)
    operations = [found.ok() for found in document.get_all_operations()]
    headers = {"Authorization": f"Bearer {reads.token(party_id)}"}
    for operation in operations:
        if operation.path not in PATHS:
            continue

        @hypothesis.settings(max_examples=6, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @hypothesis.given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS, timeout=120)

        ask()
