"""Spans named gen_ai.memory.*, where OpenTelemetry is there and set up; no text of a memory is in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer


class Spans:
    """Makes spans, or nothing at all where the extra [otel] is not installed."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None
        if find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None:
            from opentelemetry.trace import get_tracer

            self._tracer = get_tracer("memspan")

    @contextmanager
    def span(self, verb: str) -> Iterator["Span | None"]:
        """A span around a verb. An error is told by its name alone: messages may quote what was remembered."""
        if self._tracer is None:
            yield None
            return
        name = f"gen_ai.memory.{verb}"
        facts = {"gen_ai.operation.name": f"memory.{verb}", "gen_ai.system": "memspan"}
        with self._tracer.start_as_current_span(
            name, attributes=facts, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as why:
                span.set_attribute("error.type", type(why).__name__)
                raise


def tell(span: "Span | None", **facts: Any) -> None:  # Any: a number or a word
    """Put numbers on a span."""
    if span is not None:
        for name, value in facts.items():
            span.set_attribute(f"gen_ai.memory.{name}", value)
