"""What operators see: health, figures, spans, and the page; no text of a memory is in any of the first three."""

import json

import pytest
from tests.doors.rest.running import running

SECRET = "xochipilli"
# a provider that writes what is in each span to a file: what an operator's own set-up would do
TRACED = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
class ToFile(SpanExporter):
    def export(self, spans):
        with open({path!r}, "a") as file:
            for span in spans:
                file.write(json.dumps([span.name, dict(span.attributes), len(span.events)]) + "\\n")
        return SpanExportResult.SUCCESS
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToFile()))
trace.set_tracer_provider(provider)
"""


def test_figures_count_calls_by_route_and_status(client, scope):
    """And turns that were new; ids and scopes are no labels."""

    def figures():
        lines = client.get("/metrics").text.splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    before = figures()
    (id,) = client.post("/v1/remember", params={"scope": scope}, json={"text": f"{SECRET} one"}).json()["ids"]
    for _ in range(3):
        client.get("/v1/items/t00", params={"scope": scope})
    client.get(f"/v1/items/{id}", params={"scope": scope})
    client.get(f"/{SECRET}")
    after = figures()

    def more(name):
        return float(after.get(name, 0)) - float(before.get(name, 0))

    label = 'memspan_requests_total{{method="{}",route="{}",status="{}"}}'
    assert more(label.format("POST", "/v1/remember", 201)) == 1
    assert more(label.format("GET", "/v1/items/{id:path}", 404)) == 3
    assert more(label.format("GET", "/v1/items/{id:path}", 200)) == 1
    assert more("memspan_turns_written_total") == 1
    assert more('memspan_request_seconds_count{route="/v1/remember"}') == 1
    assert float(after["memspan_open_scopes"]) >= 1
    assert SECRET not in str(after) and scope not in str(after) and id not in str(after)


@pytest.mark.slow
def test_figures_of_several_workers_are_added_up(tmp_path):
    """Whichever worker is asked."""
    with running(tmp_path / "m.mem", workers=2, rate=0) as server:
        for _ in range(30):
            with server.client() as client:
                client.get("/v1/stats?scope=a")
        with server.client() as client:
            lines = client.get("/metrics").text.splitlines()
    (line,) = [line for line in lines if line.startswith("memspan_requests_total") and "/v1/stats" in line]
    assert float(line.rsplit(" ", 1)[1]) == 30


def test_spans_tell_numbers_and_no_text(tmp_path):
    """One a verb, named gen_ai.memory.*; an error by its name alone."""
    pytest.importorskip("opentelemetry.sdk")
    path = tmp_path / "spans"
    with running(tmp_path / "m.mem", prelude=TRACED.format(path=str(path))) as server, server.client() as client:
        client.post("/v1/remember?scope=a", json={"text": f"{SECRET} said so", "session": SECRET})
        client.post("/v1/recall?scope=a", json={"question": f"What did {SECRET} say?"})
        client.get(f"/v1/items/{SECRET}?scope=a")
    raw = path.read_text()
    spans = {name: (facts, events) for name, facts, events in map(json.loads, raw.splitlines())}
    assert set(spans) == {"gen_ai.memory.remember", "gen_ai.memory.recall", "gen_ai.memory.item"}
    assert spans["gen_ai.memory.remember"][0]["gen_ai.memory.added"] == 1
    assert spans["gen_ai.memory.recall"][0]["gen_ai.memory.hits"] == 1
    assert spans["gen_ai.memory.item"] == (
        {"gen_ai.operation.name": "memory.item", "gen_ai.system": "memspan", "error.type": "UnknownId"},
        0,
    )
    assert SECRET not in raw


def test_the_page_is_served_with_its_policy(client):
    """From the server itself; nothing is loaded from elsewhere."""
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/page.js").headers["content-type"].startswith("text/javascript")
    assert "://" not in page.text.replace("http://www.w3.org/", "")


def test_health_says_that_it_is_up(client):
    """Without a scope; ready has read the memory."""
    assert client.get("/health").json() == {"status": "up"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_a_memory_that_cannot_be_read_is_not_ready(tmp_path):
    """health stays up: a restart would not help."""
    place = tmp_path / "m.mem"
    broken = "import memspan.doors.rest.door as door\nreal = door.Door.probe\ncount = [0]\n" + (
        "from memspan.core.errors import DamagedFile\n"
        "def probe(self):\n"
        "    count[0] += 1\n"
        "    if count[0] > 2: raise DamagedFile(self.settings.place, 'torn')\n"
        "    real(self)\n"
        "door.Door.probe = probe\n"
    )
    with running(place, prelude=broken) as server, server.client() as client:
        told = client.get("/ready")
        assert (told.status_code, told.headers["content-type"]) == (500, "application/problem+json")
        assert str(place) not in told.text
        assert client.get("/health").status_code == 200
