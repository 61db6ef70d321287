"""Every endpoint of the HTTP interface: status, content type, body. Expectations are literal, and hold for both."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

from tests.faults.proxy.servers import Server
from tests.faults.proxy.wire import Upstream, exchange

ERROR_TYPE = "text/plain; charset=utf-8"
LATENCY = {"latency": 100, "jitter": 0}


def proxy_body(name: str = "link", **changed: Any) -> dict[str, Any]:
    body = {"name": name, "listen": "", "upstream": "u:1", "enabled": False, "Logger": {}, "toxics": []}
    return body | changed


def assert_error(answer: Any, status: int, message: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == ERROR_TYPE
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.text) == {"error": message, "status": status}
    assert answer.text.endswith("}\n")


def make(server: Server, name: str = "link") -> None:
    answer = server.send("POST", "/proxies", {"name": name, "upstream": "u:1", "enabled": False})
    assert answer.status_code == 201


def test_version_is_json_with_a_charset(toxiproxy: Server) -> None:
    answer = toxiproxy.send("GET", "/version")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    # `go install` does not stamp the original's version: it says "git".
    assert re.fullmatch(r'\{"version": "(2\.12\.0|git)"\}\n', answer.text)


def test_creating_a_proxy_answers_201_with_all_its_fields(toxiproxy: Server) -> None:
    answer = toxiproxy.send("POST", "/proxies", {"name": "a->b", "upstream": "u:1", "enabled": False})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    expected = r'{"name":"a-\u003eb","listen":"","upstream":"u:1","enabled":false,"Logger":{},"toxics":[]}'
    assert answer.text == expected


def test_a_started_proxy_tells_the_port_it_took(toxiproxy: Server) -> None:
    host, port = toxiproxy.proxy("127.0.0.1:1")
    assert host == "127.0.0.1"
    assert port > 0
    assert toxiproxy.send("GET", "/proxies/link").json()["listen"] == f"127.0.0.1:{port}"


def test_proxies_are_listed_by_name(toxiproxy: Server) -> None:
    assert toxiproxy.send("GET", "/proxies").text == "{}"
    make(toxiproxy, "b")
    make(toxiproxy, "a")
    answer = toxiproxy.send("GET", "/proxies")
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["a", "b"]
    assert answer.json()["a"] == proxy_body("a")


@pytest.mark.parametrize("name", ["gateway->payment", "with space", "ünïcödé", "percent%25", "a&b=c?d#e", "日本"])
def test_names_are_found_behind_their_escapes(toxiproxy: Server, name: str) -> None:
    from urllib.parse import quote

    make(toxiproxy, name)
    assert toxiproxy.send("GET", f"/proxies/{quote(name, safe='')}").json()["name"] == name
    assert toxiproxy.send("DELETE", f"/proxies/{quote(name, safe='')}").status_code == 204


def test_deleting_answers_204_without_a_body(toxiproxy: Server) -> None:
    make(toxiproxy)
    answer = toxiproxy.send("DELETE", "/proxies/link")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert_error(toxiproxy.send("GET", "/proxies/link"), 404, "proxy not found")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_updating_a_proxy_changes_what_is_said_and_keeps_the_rest(toxiproxy: Server, method: str) -> None:
    make(toxiproxy)
    answer = toxiproxy.send(method, "/proxies/link", {"upstream": "v:2", "name": "ignored"})
    assert answer.status_code == 200
    assert answer.json() == proxy_body(upstream="v:2")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_updating_a_toxic_changes_attributes_and_toxicity_only(toxiproxy: Server, method: str) -> None:
    make(toxiproxy)
    path = toxiproxy.toxic("latency", latency=1, jitter=2)
    change = {"name": "x", "type": "timeout", "stream": "upstream", "toxicity": 0.25, "attributes": {"latency": 7}}
    answer = toxiproxy.send(method, path, change)
    assert answer.status_code == 200
    assert answer.text == (
        '{"attributes":{"latency":7,"jitter":2},"name":"latency_downstream","type":"latency",'
        '"stream":"downstream","toxicity":0.25}'
    )


@pytest.mark.parametrize(
    ("type_name", "attributes"),
    [
        ("latency", ["latency", "jitter"]),
        ("bandwidth", ["rate"]),
        ("slow_close", ["delay"]),
        ("timeout", ["timeout"]),
        ("reset_peer", ["timeout"]),
        ("slicer", ["average_size", "size_variation", "delay"]),
        ("limit_data", ["bytes"]),
        ("noop", []),
    ],
)
def test_every_type_of_toxic_has_its_attributes_at_zero(
    toxiproxy: Server, type_name: str, attributes: list[str]
) -> None:
    make(toxiproxy)
    answer = toxiproxy.send("POST", "/proxies/link/toxics", {"type": type_name})
    assert answer.status_code == 200  # not 201
    assert answer.json() == {
        "attributes": dict.fromkeys(attributes, 0),
        "name": f"{type_name}_downstream",
        "type": type_name,
        "stream": "downstream",
        "toxicity": 1,
    }
    assert list(answer.json()["attributes"]) == attributes


def test_toxics_are_listed_upstream_first_in_their_order(toxiproxy: Server) -> None:
    make(toxiproxy)
    for name, stream in [("d1", "downstream"), ("u1", "upstream"), ("d2", "downstream"), ("u2", "upstream")]:
        toxiproxy.toxic("noop", stream, name=name)
    names = [toxic["name"] for toxic in toxiproxy.send("GET", "/proxies/link/toxics").json()]
    assert names == ["u1", "u2", "d1", "d2"]
    assert [toxic["name"] for toxic in toxiproxy.send("GET", "/proxies/link").json()["toxics"]] == names


@pytest.mark.parametrize(
    ("toxicity", "shown"),
    [
        ("0.3", "0.3"),
        ("5.123456789", "5.123457"),
        ("-1", "-1"),
        ("1e-7", "1e-7"),
        ("123456789", "123456790"),
        ("1e22", "1e+22"),
        ("0.30000001", "0.3"),
        ("1.0", "1"),
        ("0.1", "0.1"),
    ],
)
def test_toxicity_is_a_32_bit_float(toxiproxy: Server, toxicity: str, shown: str) -> None:
    make(toxiproxy)
    body = f'{{"type":"noop","toxicity":{toxicity}}}'.encode()
    assert toxiproxy.send("POST", "/proxies/link/toxics", body).text.endswith(f'"toxicity":{shown}}}')


def test_a_stream_is_known_in_any_case_and_shown_as_spelled(toxiproxy: Server) -> None:
    make(toxiproxy)
    answer = toxiproxy.send("POST", "/proxies/link/toxics", {"type": "noop", "stream": "UpStream"}).json()
    assert (answer["stream"], answer["name"]) == ("UpStream", "noop_UpStream")


PROXY_ERRORS = [
    (b"", "bad request body: EOF"),
    (b" \n", "bad request body: EOF"),
    (b"{", "bad request body: unexpected EOF"),
    (b'{"name":1,"upstream":2', "bad request body: unexpected EOF"),
    (b"nope", "bad request body: invalid character 'o' in literal null (expecting 'u')"),
    (b'{"name":"x",}', "bad request body: invalid character '}' looking for beginning of object key string"),
    (b'{"a":[1 2]}', "bad request body: invalid character '2' after array element"),
    (b'{"name":"\x01"}', "bad request body: invalid character '\\x01' in string literal"),
    (b"{'a':1}", "bad request body: invalid character '\\'' looking for beginning of object key string"),
    (b'{"name":NaN}', "bad request body: invalid character 'N' looking for beginning of value"),
    (b"[]", "bad request body: json: cannot unmarshal array into Go value of type toxiproxy.Proxy"),
    (b'{"name":1}', "bad request body: json: cannot unmarshal number into Go struct field Proxy.name of type string"),
    (
        b'{"enabled":"yes"}',
        "bad request body: json: cannot unmarshal string into Go struct field Proxy.enabled of type bool",
    ),
    (b"null", "missing required field: name"),
    (b"{}", "missing required field: name"),
    (b'{"name":""}', "missing required field: name"),
    (b'{"name":"x"}', "missing required field: upstream"),
]


@pytest.mark.parametrize(("body", "message"), PROXY_ERRORS)
def test_a_bad_proxy_is_refused_in_the_originals_words(toxiproxy: Server, body: bytes, message: str) -> None:
    assert_error(toxiproxy.send("POST", "/proxies", body), 400, message)
    assert toxiproxy.send("GET", "/proxies").json() == {}


WRONG_LATENCY = (
    "bad request body: json: cannot unmarshal {} into Go struct field LatencyToxic.attributes.latency of type int64"
)
TOXIC_ERRORS = [
    (b"", "bad request body: EOF"),
    (b"{}", "invalid toxic type"),
    (b'{"type":"nope"}', "invalid toxic type"),
    (b'{"type":"latency","stream":"sideways"}', "stream was invalid, can be either upstream or downstream"),
    (b'{"type":"nope","stream":""}', "stream was invalid, can be either upstream or downstream"),
    (
        b'{"type":"latency","toxicity":"x"}',
        "bad request body: json: cannot unmarshal string into Go struct field ToxicWrapper.toxicity of type float32",
    ),
    (
        b'{"type":"latency","attributes":[]}',
        "bad request body: json: cannot unmarshal array into Go struct field ToxicWrapper.attributes"
        " of type toxics.NoopToxic",
    ),
    (b'{"type":"latency","attributes":{"latency":"x"}}', WRONG_LATENCY.format("string")),
    (b'{"type":"latency","attributes":{"latency":1.5}}', WRONG_LATENCY.format("number 1.5")),
    (b'{"type":"latency","attributes":{"latency":1e3}}', WRONG_LATENCY.format("number 1e3")),
    (
        b'{"type":"latency","attributes":{"latency":9223372036854775808}}',
        WRONG_LATENCY.format("number 9223372036854775808"),
    ),
]


@pytest.mark.parametrize(("body", "message"), TOXIC_ERRORS)
def test_a_bad_toxic_is_refused_in_the_originals_words(toxiproxy: Server, body: bytes, message: str) -> None:
    make(toxiproxy)
    assert_error(toxiproxy.send("POST", "/proxies/link/toxics", body), 400, message)
    assert toxiproxy.send("GET", "/proxies/link/toxics").text == "[]"


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/proxies/none", "proxy not found"),
        ("PATCH", "/proxies/none", "proxy not found"),
        ("DELETE", "/proxies/none", "proxy not found"),
        ("GET", "/proxies/none/toxics", "proxy not found"),
        ("POST", "/proxies/none/toxics", "proxy not found"),
        ("GET", "/proxies/none/toxics/x", "proxy not found"),
        ("GET", "/proxies/link/toxics/none", "toxic not found"),
        ("PATCH", "/proxies/link/toxics/none", "toxic not found"),
        ("DELETE", "/proxies/link/toxics/none", "toxic not found"),
    ],
)
def test_what_is_not_there_is_404(toxiproxy: Server, method: str, path: str, message: str) -> None:
    make(toxiproxy)
    assert_error(toxiproxy.send(method, path), 404, message)


def test_names_are_taken_once(toxiproxy: Server) -> None:
    make(toxiproxy)
    answer = toxiproxy.send("POST", "/proxies", {"name": "link", "upstream": "other:1", "enabled": False})
    assert_error(answer, 409, "proxy already exists")
    toxiproxy.toxic("latency", "upstream", name="x")
    answer = toxiproxy.send("POST", "/proxies/link/toxics", {"type": "timeout", "name": "x"})
    assert_error(answer, 409, "toxic already exists")


@pytest.mark.parametrize(
    ("listen", "message"),
    [
        ("nonsense", "listen tcp: address nonsense: missing port in address"),
        ("[::1", "listen tcp: address [::1: missing ']' in address"),
        ("::1:80", "listen tcp: address ::1:80: too many colons in address"),
        ("127.0.0.1:99999", "listen tcp: address 99999: invalid port"),
        ("127.0.0.1:nosuchservice", "listen tcp: lookup tcp/nosuchservice: unknown port"),
        ("8.8.8.8:0", "listen tcp 8.8.8.8:0: bind: cannot assign requested address"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_500_and_makes_no_proxy(
    toxiproxy: Server, listen: str, message: str
) -> None:
    answer = toxiproxy.send("POST", "/proxies", {"name": "x", "upstream": "u:1", "listen": listen})
    assert_error(answer, 500, message)
    assert toxiproxy.send("GET", "/proxies").json() == {}


def test_a_port_in_use_is_500_and_leaves_an_updated_proxy_disabled(toxiproxy: Server) -> None:
    toxiproxy.proxy("u:1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = toxiproxy.send("PATCH", "/proxies/link", {"listen": busy})
    assert_error(answer, 500, f"listen tcp {busy}: bind: address already in use")
    assert toxiproxy.send("GET", "/proxies/link").json() == proxy_body(listen=busy)


def test_populate_creates_keeps_and_replaces(toxiproxy: Server, upstream: Upstream) -> None:
    host, port = toxiproxy.proxy(upstream.address, name="kept")
    kept = {"name": "kept", "listen": f"{host}:{port}", "upstream": upstream.address}
    toxiproxy.send("POST", "/proxies/kept/toxics", {"type": "noop"})
    toxiproxy.proxy("u:1", name="moved")
    toxiproxy.send("POST", "/proxies/moved/toxics", {"type": "noop"})
    moved = {"name": "moved", "listen": "127.0.0.1:0", "upstream": upstream.address}
    answer = toxiproxy.send("POST", "/populate", [kept, moved, {"name": "off", "upstream": "u:1", "enabled": False}])
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    bodies = {body["name"]: body for body in answer.json()["proxies"]}
    assert [toxic["type"] for toxic in bodies["kept"]["toxics"]] == ["noop"]
    assert bodies["moved"]["toxics"] == []
    assert bodies["off"] == proxy_body("off")
    new_host, new_port = bodies["moved"]["listen"].split(":")
    assert exchange((new_host, int(new_port)), b"x").data == b"x"


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"[]", 201, {"proxies": None}),
        (b"{", 400, {"error": "bad request body: unexpected EOF", "status": 400, "proxies": None}),
        (
            b'[{"name":"a","upstream":"u","enabled":false},{"name":""}]',
            400,
            {"error": "missing required field: name at proxy 2", "status": 400, "proxies": None},
        ),
        (
            b'[{"name":"a","upstream":"u","enabled":false},{"name":"b"}]',
            400,
            {"error": "missing required field: upstream at proxy 2", "status": 400, "proxies": None},
        ),
        (
            b'[{"name":"a","upstream":"u:1","enabled":false},{"name":"b","upstream":"u","listen":"zz"}]',
            500,
            {
                "error": "listen tcp: address zz: missing port in address",
                "status": 500,
                "proxies": [proxy_body("a")],
            },
        ),
        (
            b'[{"name":3}]',
            400,
            {
                "error": "bad request body: json: cannot unmarshal number into Go struct field .Proxy.name"
                " of type string",
                "status": 400,
                "proxies": None,
            },
        ),
    ],
)
def test_populate_answers_errors_beside_what_it_made(
    toxiproxy: Server, body: bytes, status: int, expected: dict[str, Any]
) -> None:
    answer = toxiproxy.send("POST", "/populate", body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == expected


def test_reset_enables_all_and_removes_every_toxic(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("timeout", timeout=0)
    toxiproxy.toxic("latency", "upstream", latency=5000)
    toxiproxy.send("PATCH", "/proxies/link", {"enabled": False})
    answer = toxiproxy.send("POST", "/reset")
    assert (answer.status_code, answer.content) == (204, b"")
    assert toxiproxy.send("GET", "/proxies/link").json()["enabled"]
    assert exchange(address, b"x", patience_s=3).data == b"x"


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/proxies"), ("GET", "/reset"), ("GET", "/populate"), ("POST", "/version"), ("HEAD", "/proxies")],
)
def test_a_wrong_method_is_405_without_a_body(toxiproxy: Server, method: str, path: str) -> None:
    answer = toxiproxy.send(method, path)
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize("path", ["/", "/nope", "/proxies/", "/PROXIES", "/proxies/a/toxics/b/c", "/proxies/a%2Fb"])
def test_an_unknown_path_is_404_in_plain_text(toxiproxy: Server, path: str) -> None:
    answer = toxiproxy.send("GET", path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


def test_a_path_with_empty_parts_is_redirected(toxiproxy: Server) -> None:
    answer = toxiproxy.send("GET", "/proxies//x?y=1")
    assert (answer.status_code, answer.headers["location"]) == (301, "/proxies/x?y=1")


def test_browsers_are_refused(toxiproxy: Server) -> None:
    answer = toxiproxy.http.get("/proxies", headers={"User-Agent": "Mozilla/5.0 (X11)"})
    assert (answer.status_code, answer.text) == (403, "User agent not allowed\n")
    assert answer.headers["content-type"] == ERROR_TYPE


def test_metrics_count_the_bytes_of_ended_connections(toxiproxy: Server, upstream: Upstream) -> None:
    host, port = toxiproxy.proxy(upstream.address, name="counted")
    exchange((host, port), b"x" * 1234)
    labels = f'listener="{host}:{port}",proxy="counted",upstream="{upstream.address}"'
    for _ in range(100):
        text = toxiproxy.send("GET", "/metrics").text
        if 'direction="upstream",' + labels in text and 'direction="downstream",' + labels in text:
            break
    assert f'toxiproxy_proxy_received_bytes_total{{direction="upstream",{labels}}} 1234\n' in text
    assert f'toxiproxy_proxy_sent_bytes_total{{direction="downstream",{labels}}} 1234\n' in text
    assert "# TYPE toxiproxy_proxy_received_bytes_total counter\n" in text


def test_every_answer_of_the_interface_carries_a_request_id_and_a_date(toxiproxy: Server) -> None:
    first, second = (toxiproxy.send("GET", "/version").headers for _ in range(2))
    assert len(first["x-toxiproxy-request-id"]) == 20
    assert first["x-toxiproxy-request-id"] != second["x-toxiproxy-request-id"]
    assert first["date"].endswith(" GMT")
