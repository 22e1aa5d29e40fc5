"""Where spans go: to the collector that OpenTelemetry's own variables name, and nowhere without one."""

from __future__ import annotations

import os

from genrec.errors import DataError
from genrec.tracing import record_with

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def begin_exporting(version: str) -> None:
    """Send spans by OTLP over HTTP, until the process ends, which sends the last ones.

    `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS` and their like count as everywhere.

    Raises:
        DataError: a collector is named that cannot be spoken to.
    """
    endpoint, protocol = _first_set(_ENDPOINTS), _first_set(_PROTOCOLS)
    if endpoint is None:
        return
    if protocol and os.environ[protocol] != _PROTOCOL:
        raise DataError(f"{protocol} is {os.environ[protocol]!r}: only {_PROTOCOL} is spoken (port 4318 as a rule)")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise DataError(f"{endpoint} is set, and {error.name} is missing: pip install 'genrec[traces]'") from error
    about = Resource.create({"service.name": "genrec", "service.version": version})
    provider = TracerProvider(resource=about.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    record_with(provider)


def _first_set(names: tuple[str, ...]) -> str | None:
    return next((name for name in names if os.environ.get(name)), None)
