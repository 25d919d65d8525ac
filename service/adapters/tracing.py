"""Traces over OTLP/HTTP, where an endpoint is set: one span a request, one for each of its stages.

Nothing imports this otherwise: OpenTelemetry is an extra (`otel`), and costs nothing where it is not asked for.
"""

import time
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.logs import request_id

_NS: Final = 1_000_000_000
_SERVER_ERROR: Final = 500
_PARENT: Final = TraceContextTextMapPropagator()


class Tracing:
    """Spans on their way to a collector: in batches, from a thread of their own."""

    def __init__(self, endpoint: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "beat-serve"}))
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("service")

    def request(self, method: str, parent: Context) -> Span:
        """The span of a request that begins now."""
        return self._tracer.start_span(method, parent, SpanKind.SERVER)

    def scope(self, app: ASGIApp) -> "TraceScope":
        """The application with every request in a span."""
        return TraceScope(app, self)

    def stage(self, name: str, seconds: float, outcome: str, ended_s_ago: float) -> None:
        """The span of a stage that has ended, under the request of the current task; outside of one there is none.

        What several requests wait for stands under the one that began it.
        """
        if not get_current_span().is_recording():
            return
        ended = time.time_ns() - int(ended_s_ago * _NS)
        span = self._tracer.start_span(name, start_time=ended - int(seconds * _NS))
        if outcome != "ok":
            span.set_status(StatusCode.ERROR)
        span.end(ended)

    def close(self) -> None:
        """Send what waits; takes seconds where the collector does not answer."""
        self._provider.shutdown()


class TraceScope:
    """Puts each request into a span, under the caller's own if it sends a W3C `traceparent`. Plain ASGI."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span = self._tracing.request(scope["method"], _PARENT.extract(Headers(scope=scope)))

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_answer(span, message["status"])
            await send(message)

        with use_span(span, end_on_exit=True):
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                _note_request(span, scope)


def _note_answer(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= _SERVER_ERROR:
        span.set_status(StatusCode.ERROR)


def _note_request(span: Span, scope: Scope) -> None:
    """Name and attributes by the semantic conventions for HTTP: the route's template, never the raw path."""
    route = getattr(scope.get("route"), "path", None)
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("beat.request_id", request_id.get())
    if route is not None:
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
