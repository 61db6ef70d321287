"""Coverage-guided fuzzing of the readers with atheris: any bytes give spans or one clear error.

    pip install 'tracegap[fuzz]'
    python -m fuzz.readers otlp-json -max_total_time=60 corpus/

The first word says which reader: otlp-protobuf, otlp-frames, otlp-json, jaeger, zipkin, console, parquet, or any (the
content decides, as it does for users). What follows it goes to libFuzzer; folders are corpora, and one is worth giving:
a few small files of the form.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["analysis.sources"]):
    from analysis.errors import UnreadableSource
    from analysis.sources import reading
    from analysis.sources.noticed import Warnings

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "any": bytes,
    "otlp-protobuf": lambda data: b"\x0a" + data,
    "otlp-frames": lambda data: len(data).to_bytes(4, "big") + data,
    "otlp-json": lambda data: b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + data,
    "jaeger": lambda data: b'{"data":[{"traceID":"1","spans":[' + data,
    "zipkin": lambda data: b'[{"traceId":"1","id":"1","timestamp":1,' + data,
    "console": lambda data: b'{"name":"a","context":{"trace_id":"0x1","span_id":"0x1"},' + data,
    "parquet": lambda data: b"PAR1" + data + b"PAR1",
}
"""How a reader's input begins: the rest is the fuzzer's."""


def read_or_refuse(data: bytes) -> None:
    """Raises whatever a reader raises that it should not."""
    warnings = Warnings("fuzz")
    try:
        for part in reading.read_content(data, warnings):
            part.spans.validate(full=True)
            part.logs.validate(full=True)
    except UnreadableSource as error:
        if "\n" in str(error):
            raise AssertionError(f"more than one line: {error}") from error
    if any("\n" in line for line in warnings.lines()):
        raise AssertionError(f"more than one line: {warnings.lines()}")


def main() -> None:
    form = sys.argv[1] if len(sys.argv) > 1 else ""
    if form not in FORMS:
        sys.exit(f"expected one of {', '.join(FORMS)}")
    begin = FORMS[form]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: read_or_refuse(begin(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
