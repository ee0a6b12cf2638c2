"""The server against its own schema: no mistake of the server, nothing undocumented, by schemathesis."""

import copy
import uuid
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis")

from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.core.failures import FailureGroup  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

QUICK, LONG = 1, 40
ALWAYS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
# of forget, what goes with what is not in the schema; the others have all they need there
BY_RULES = {"/v1/forget"}

_names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", categories=("L", "N", "P", "S", "Zs")), max_size=30
)
_part = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
schemathesis.openapi.format("scope", st.lists(_part, min_size=1, max_size=3).map("/".join))
schemathesis.openapi.format("moment", st.datetimes().map(lambda when: when.isoformat() + "Z"))
schemathesis.openapi.format("remembered", _names.filter(str.strip))
schemathesis.openapi.format("name", _names.filter(str.strip))


@pytest.fixture(scope="session")
def api(open_server):
    """The schema that the server gives."""
    return schemathesis.openapi.from_url(f"{open_server.url}/openapi.json")


def fuzz(api, examples):
    """Sends calls that fit the schema and calls that do not, so many of each operation; the operations' names."""
    tried_ones = []
    for result in api.get_all_operations():
        operation = result.ok()
        if operation.path == "/v1/import":  # its body has no schema: test_rest_streams.py
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode), valid=st.just(mode is GenerationMode.POSITIVE))
            @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
            def send(case, valid):
                tried(case, valid=valid)

            with suppress(Unsatisfiable):  # nothing can be wrong with a call without arguments
                send()
        tried_ones.append(operation.label)
    return tried_ones


def tried(case, *, valid):
    """Send a generated call and check the answer. valid: whether it was made to fit the schema"""
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex  # the same name again for another body is a 422 of its own
    case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "if-match"}
    if valid and case.query:  # one that does not fit stays as it is: what is set anew is looked at anew
        query = {name: given for name, given in case.query.items() if given is not None}  # a URL has no null
        days = [name for name in ("since", "until") if isinstance(query.get(name), str)]
        days_in_order = sorted(query[name] for name in days)  # which comes first is no matter of the schema
        case.query = {**query, **dict(zip(days, days_in_order, strict=True))}
    answer = case.call()
    if answer.status_code == 501:  # quality="high" where MiniLM is not installed or not built
        assert answer.json()["type"] in ("urn:memspan:MissingExtra", "urn:memspan:MissingModel")
        return
    if answer.status_code == 413:  # a text made longer than the schema lets it be may pass the limit of a body, too
        assert len(answer.request.body or b"") > 16_000_000
        return
    checks = [*ALWAYS, negative_data_rejection]
    if case.operation.path not in BY_RULES:
        checks.append(positive_data_acceptance)
    case.validate_response(answer, checks=checks)


def test_the_schema_holds(api):
    """A few calls of each operation."""
    assert len(fuzz(api, QUICK)) > 25


@pytest.mark.slow
def test_the_schema_holds_at_length(api):
    """Many calls of each operation."""
    assert len(fuzz(api, LONG)) > 25


def test_the_schema_is_of_the_version_that_it_says(client):
    """OpenAPI 3.1; every failure of every operation is a problem."""
    told = client.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    operations = [operation for path in told["paths"].values() for operation in path.values()]
    assert len(operations) > 25
    for operation in operations:
        assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]


def test_an_answer_that_is_not_in_the_schema_would_be_seen(api):
    """The check can fail: the same answer against a schema that says otherwise."""
    told = copy.deepcopy(api.raw_schema)
    told["components"]["schemas"]["Sessions"]["properties"]["sessions"] = {"type": "integer"}
    other = schemathesis.openapi.from_dict(told)
    case = other["/v1/sessions"]["GET"].Case(query={"scope": "a"})
    answer = case.call(base_url=api.get_base_url())
    with pytest.raises(FailureGroup):
        case.validate_response(answer, checks=ALWAYS)
