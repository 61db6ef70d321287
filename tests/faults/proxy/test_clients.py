"""The clients that people use, unchanged, against both servers."""

from __future__ import annotations

import json
import shutil
import subprocess
import time

import pytest
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import NotFound, ProxyExists

from tests.faults.proxy.servers import ROOT, Server
from tests.faults.proxy.wire import Upstream, exchange

NODE_MODULES = ROOT / ".peers" / "node" / "node_modules"

needs_node_client = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE_MODULES / "toxiproxy-node-client").is_dir(),
    reason="node or toxiproxy-node-client is absent; `make peers` installs the client with npm",
)

NODE_SCRIPT = """
const { Toxiproxy } = require("toxiproxy-node-client");
const [url, upstream] = process.argv.slice(1);
(async () => {
  const said = {};
  const toxiproxy = new Toxiproxy(url);
  const proxy = await toxiproxy.createProxy({ name: "link", listen: "127.0.0.1:0", upstream });
  said.listen = proxy.listen;
  const toxic = await proxy.addToxic({
    name: "slow", type: "latency", stream: "downstream", toxicity: 1, attributes: { latency: 1500, jitter: 0 } });
  said.toxic = toxic.toJson();
  const updated = await toxic.update({ toxicity: 0.5, attributes: { latency: 700, jitter: 1 } });
  said.updated = [updated.toxicity, updated.attributes];
  said.shown = (await toxiproxy.get("link")).toxics ?? (await proxy.getToxic("slow")).attributes;
  await toxic.remove();
  said.all = Object.keys(await toxiproxy.getAll());
  said.version = await toxiproxy.getVersion();
  said.disabled = (await proxy.update({ enabled: false, listen: proxy.listen, upstream })).enabled;
  const message = (promise) => promise.then(() => "no error", (error) => error.message);
  said.unknown = await message(toxiproxy.get("none"));
  said.duplicate = await message(toxiproxy.createProxy({ name: "link", listen: "127.0.0.1:0", upstream }));
  await toxiproxy.reset();
  said.reset = (await toxiproxy.get("link")).enabled;
  said.populated = Object.keys(await toxiproxy.populate([{ name: "p", listen: "127.0.0.1:0", upstream }])).length;
  await (await toxiproxy.get("link")).remove();
  said.left = Object.keys(await toxiproxy.getAll());
  console.log(JSON.stringify(said));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def python_client(server: Server) -> Toxiproxy:
    client = Toxiproxy()
    client.update_api_consumer(server.host, server.port)
    return client


def test_toxiproxy_python_drives_a_proxy_through_its_life(toxiproxy: Server, upstream: Upstream) -> None:
    client = python_client(toxiproxy)
    assert client.running()
    assert b'"version"' in client.version()
    proxy = client.create(upstream=upstream.address, name="link")
    host, port = client.get_proxy("link").listen.rsplit(":", 1)
    address = (host, int(port))

    proxy.add_toxic(type="latency", attributes={"latency": 300, "jitter": 0})
    assert proxy.get_toxic("latency_downstream").attributes == {"latency": 300, "jitter": 0}
    began = time.monotonic()
    assert exchange(address, b"x").data == b"x"
    assert time.monotonic() - began >= 0.3
    assert proxy.destroy_toxic("latency_downstream")
    assert proxy.toxics() == {}

    with proxy.down(), pytest.raises(ConnectionRefusedError):
        exchange(address, b"x")
    assert exchange(address, b"x").data == b"x"

    assert client.reset()
    proxy.destroy()
    assert client.proxies() == {}


def test_toxiproxy_python_sees_the_originals_errors(toxiproxy: Server) -> None:
    client = python_client(toxiproxy)
    proxy = client.create(upstream="u:1", name="link", enabled=False)
    with pytest.raises(ProxyExists):
        client.create(upstream="u:1", name="link")
    with pytest.raises(NotFound):
        proxy.destroy_toxic("none")
    proxy.destroy()
    with pytest.raises(NotFound):
        proxy.destroy()


def test_toxiproxy_python_populates(toxiproxy: Server) -> None:
    client = python_client(toxiproxy)
    client.populate([{"name": "a", "upstream": "u:1", "listen": "127.0.0.1:0"}, {"name": "b", "upstream": "u:2"}])
    assert sorted(client.proxies()) == ["a", "b"]


@needs_node_client
@pytest.mark.peers
def test_toxiproxy_node_client_drives_a_proxy_through_its_life(toxiproxy: Server, upstream: Upstream) -> None:
    done = subprocess.run(
        ["node", "-e", NODE_SCRIPT, f"http://{toxiproxy.host}:{toxiproxy.port}", upstream.address],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"NODE_PATH": str(NODE_MODULES), "PATH": "/usr/bin:/bin:/usr/local/bin"},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.pop("listen").startswith("127.0.0.1:")
    assert said.pop("version") is not None
    assert said.pop("unknown").endswith("404")
    assert said.pop("duplicate").endswith("409")
    assert said == {
        "toxic": {
            "attributes": {"latency": 1500, "jitter": 0},
            "name": "slow",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 1,
        },
        "updated": [0.5, {"latency": 700, "jitter": 1}],
        "shown": {"latency": 700, "jitter": 1},
        "all": ["link"],
        "disabled": False,
        "reset": True,
        "populated": 1,
        "left": ["p"],
    }
