"""The proxies that links go through, created on a Toxiproxy server."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

import httpx

from tracegap.errors import PartFailed, UnusableInput
from tracegap.stack.ports import LOOPBACK

__all__ = ["LinkProxies"]

TIMEOUT_S = 5.0


class LinkProxies:
    """Creates one proxy per link, and deletes them in the end.

    The run has its own Toxiproxy server as a rule. On one that others use (`--toxiproxy URL`) the names of the links
    may be taken: then what is there is left alone, and the run does not begin.

    Args:
        url: of the server's HTTP API.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        # `trust_env` would send requests for another machine's Toxiproxy through the user's web proxy.
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)
        self._created: list[str] = []

    def version(self) -> str:
        """Raises UnusableInput when no Toxiproxy answers."""
        try:
            return self._client.get("/version").raise_for_status().text.strip()
        except httpx.HTTPError as error:
            raise UnusableInput(f"no Toxiproxy answers at {self.url}: {error}") from error

    def create(self, upstreams: Mapping[str, str]) -> dict[str, str]:
        """Create a proxy for each link on a port that the server chooses.

        Args:
            upstreams: link name to `host:port`.

        Returns:
            Link name to the `host:port` that callers connect to.
        """
        taken = sorted(self._client.get("/proxies").json().keys() & upstreams.keys())
        if taken:
            raise UnusableInput(
                f"the Toxiproxy at {self.url} already has a proxy {taken[0]!r}: another run uses it, or one has left it"
                f" behind (`toxiproxy-cli delete {taken[0]!r}`, or restart the server)"
            )
        listens = {}
        for link, upstream in upstreams.items():
            body = {"name": link, "listen": f"{LOOPBACK}:0", "upstream": upstream, "enabled": True}
            response = self._client.post("/proxies", json=body)
            if response.status_code != 201:
                raise PartFailed(f"Toxiproxy refused the proxy {link!r}: {response.text.strip()}")
            self._created.append(link)
            listens[link] = str(response.json()["listen"])
        return listens

    def delete(self) -> None:
        """Delete what `create` made. A server that is gone has deleted everything itself."""
        for link in self._created:
            try:
                self._client.delete(f"/proxies/{link}")
            except httpx.HTTPError:
                break
        self._created.clear()

    def __enter__(self) -> LinkProxies:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()
        self._client.close()
