"""A long conversation held with both servers at once: every answer has to be the same, header for header."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.faults.proxy.conftest import needs_original
from tests.faults.proxy.servers import running

pytestmark = [needs_original, pytest.mark.peers]

# Go sends bodies beyond 2 KiB in chunks, the embedded server never does.
VARYING = ("date", "x-toxiproxy-request-id", "content-length", "transfer-encoding")

PROXY_BODIES = [
    b'"x"',
    b"1",
    b"tru",
    b"\xef\xbb\xbf{}",
    b'{"name":"q","upstream":1}',
    b'{"NAME":"q","Upstream":"u:1","ENABLED":false} trailing',
    b'{"name":"a\\ud800<&\xe2\x80\xa8\\u0001\x7f\\u00e9\xc3\xa9\\ud83d\\ude00","upstream":"u","enabled":false}',
    b'{"name":"\xff\xfe","upstream":"u","enabled":false}',
    b'{"name":"x"y',
    b'{"name":tru}',
    b'{"a":1e999,"name":"e","upstream":"u","enabled":false}',
    b'{"name":"\\q"}',
    b'{"name":"\\u12G4"}',
    b'{"name":"\\u12',
    b'{"name":-}',
    b'{"name":-',
    b'{"name":01}',
    b'{"name":1.}',
    b'{"name":1e}',
    b'{"name":1e+}',
    b'{"name":1.5e3}',
    b'{"name":-0.0}',
    b'{"logger":{"a":1},"name":"lg","upstream":"u","enabled":false}',
    b'{"logger":1,"name":"lg2","upstream":"u","enabled":false}',
    b'{"toxics":1,"name":"lg3","upstream":"u","enabled":false}',
    b'{"name":null,"upstream":"u"}',
    b'{"name":["x"]}',
    b'{"name":{"x":1}}',
    b'{"name":true}',
    b'{"enabled":1}',
    b'{"enabled":null,"name":"en","upstream":"u","listen":"127.0.0.1:0"}',
    b'{"name":"dd","name":"de","upstream":"u","enabled":false}',
    b'{"listen":{},"enabled":[1]}',
    b'\n{"name" "x"}',
    b"{1:2}",
    b'{"a":nul',
    b'{"a":fals1}',
    b'{"a":[}',
    b'{"a":[]]',
    b'{"a":{}]',
    b"[1,2",
    b"[1,]",
    b"]",
    b"\x00",
    b'{"a":"\xe9"x}',
    b'{"name":"sp ace/slash","upstream":"u","enabled":false}',
    b'{"name":"l1","upstream":"u","listen":"127.0.0.1:-1"}',
    b'{"name":"l2","upstream":"u","listen":"127.0.0.1:"}',
    b'{"name":"l3","upstream":"u","listen":"localhost:0"}',
    b'{"name":"l4","upstream":"u","listen":"[::1]:0"}',
    b'{"name":"l5","upstream":"u","listen":"[::1]x:0"}',
    b'{"name":"l6","upstream":"u","listen":"[::1]"}',
    b'{"name":"l7","upstream":"u","listen":"a[b:0"}',
    b'{"name":"l8","upstream":"u","listen":"a]b:0"}',
    b'{"name":"l9","upstream":"u","listen":"0.0.0.0:0"}',
    b"[" * 20_000,
]

TOXIC_BODIES = [
    b"[]",
    b'"x"',
    b"null",
    b'{"type":1}',
    b'{"type":"latency","stream":1}',
    b'{"type":"latency","name":1}',
    b'{"type":"latency","name":"l3","toxicity":1e40}',
    b'{"type":"latency","name":"l4","attributes":1}',
    b'{"type":"latency","name":"l5","attributes":"x"}',
    b'{"type":"latency","name":"l7","attributes":null}',
    b'{"type":"latency","name":"l11","attributes":{"latency":99999999999999999999}}',
    b'{"type":"latency","name":"l12","attributes":{"latency":-5}}',
    b'{"type":"latency","name":"l13","attributes":{"latency":null,"LATENCY":7,"bogus":1}}',
    b'{"type":"latency","name":"l14","attributes":{"latency":true}}',
    b'{"type":"latency","name":"l15","attributes":{"latency":{}}}',
    b'{"type":"latency","name":"l16","attributes":{"latency":[1]}}',
    b'{"type":"slicer","name":"s1","attributes":{"average_size":"x"}}',
    b'{"type":"slicer","name":"s2","attributes":{"average_size":1.5}}',
    b'{"type":"bandwidth","name":"b1","attributes":{"rate":"x"}}',
    b'{"type":"timeout","name":"t1","attributes":{"timeout":"x"}}',
    b'{"type":"reset_peer","name":"r1","attributes":{"timeout":"x"}}',
    b'{"type":"limit_data","name":"ld1","attributes":{"bytes":"x"}}',
    b'{"type":"slow_close","name":"sc1","attributes":{"delay":"x"}}',
    b'{"type":"noop","name":"n1","attributes":{"delay":"x"}}',
    b'{"type":"latency","name":"l20","toxicity":null,"toxicity":0.1}',
    b'{"type":"latency","name":"l25","type":"latency","stream":"Downstream"}',
    b'{"type":"latency","name":"a/b"}',
    b'{"type":"latency","attributes":{"latency":"x","jitter":"y"},"toxicity":"z"}',
    b'{"toxicity":"z","attributes":4}',
    b'{"type":"latency","name":"l30","attributes":{"latency":-0}}',
    b'{"type":"latency","name":"l31","attributes":{"latency":-9223372036854775808}}',
]

TOXIC_UPDATES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b'{"attributes":{"latency":7}}',
    b'{"toxicity":"x"}',
    b'{"attributes":{"latency":"x"}}',
    b'{"attributes":{"latency":8,"jitter":"x"}}',
    b'{"attributes":null,"toxicity":null}',
    b'{"attributes":[]}',
    b'{"attributes":3}',
    b'{"TOXICITY":0.25,"Attributes":{"Jitter":9}}',
    b'{"attributes":{"latency":1},"attributes":{"jitter":2}}',
]

PROXY_UPDATES = [
    b"",
    b"null",
    b"[]",
    b'{"enabled":"x"}',
    b'{"listen":"nonsense"}',
    b'{"upstream":""}',
    b'{"name":"other"}',
    b'{"listen":1}',
    b'{"listen":"127.0.0.1:bad"}',
    b'{"enabled":false,"listen":"127.0.0.1:3"}',
    b'{"listen":"127.0.0.1:0"}',
    b'{"enabled":true}',
    b'{"enabled":true}',
]

POPULATIONS = [
    b"",
    b"null",
    b"{}",
    b'"x"',
    b"[1]",
    b"[null]",
    b'[{"name":"p1","upstream":"u:1","enabled":"x"}]',
    b'[{"name":"p2","upstream":"u:1","enabled":null,"listen":"127.0.0.1:0"}]',
    b'[{"name":"p5","upstream":"u:1","enabled":false},{"name":"p5","upstream":"u:1","enabled":false}]',
    b'[{"name":"p5","upstream":"u:1","listen":"zz"}]',
    b'[{"name":"p9","upstream":"u:1","listen":"127.0.0.1:0","toxics":[{"type":"latency"}]}]',
    b'[{"name":"p9","upstream":3},{"enabled":1}]',
]

PATHS = ["/proxies/./t", "/proxies/x/../t", "/proxies?x=y", "/proxies/t%00", "/?x=1", "/version/", "/proxies/t/toxics/"]
METHODS = ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]

CONVERSATION: list[tuple[str, str, bytes]] = [
    *(("POST", "/proxies", body) for body in PROXY_BODIES),
    ("GET", "/proxies", b""),
    ("POST", "/proxies", b'{"name":"t","upstream":"127.0.0.1:1","listen":"127.0.0.1:0"}'),
    *(("POST", "/proxies/t/toxics", body) for body in TOXIC_BODIES),
    ("GET", "/proxies/t/toxics", b""),
    *(("PATCH", "/proxies/t/toxics/l12", body) for body in TOXIC_UPDATES),
    ("GET", "/proxies/t/toxics/l12", b""),
    *(("GET", path, b"") for path in PATHS),
    *((method, "/version", b"") for method in METHODS),
    *((method, "/proxies/t/toxics/l12", b"") for method in ["PUT", "HEAD", "OPTIONS"]),
    *((method, "/nope", b"") for method in METHODS),
    *(("PATCH", "/proxies/t", body) for body in PROXY_UPDATES),
    *(("POST", "/populate", body) for body in POPULATIONS),
    ("GET", "/proxies", b""),
]


def comparable(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Everything of an answer but what differs from one request to the next."""
    body = re.sub(r"(127\.0\.0\.1|\[::1?\]):\d{4,5}", r"\1:PORT", answer.text)
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    return answer.status_code, body, headers


def test_both_servers_answer_a_long_conversation_alike() -> None:
    # Servers of their own: proxies with a slash in their name cannot be deleted over the interface.
    with running("embedded") as embedded, running("original") as original:
        for method, path, body in CONVERSATION:
            ours = comparable(embedded.http.request(method, path, content=body))
            theirs = comparable(original.http.request(method, path, content=body))
            assert ours == theirs, (method, path, body[:200])
