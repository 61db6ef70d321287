"""The proxies that links go through, created on a Toxiproxy server.

`python -m tracegap.stack.links URL LINK=HOST:PORT...` deletes what a run that was killed has left on a server.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from faults.errors import ToxiproxyError, ToxiproxyUnreachable, UnknownProxy
from faults.toxiproxy import Toxiproxy
from tracegap.errors import PartFailed, UnusableInput

__all__ = ["LinkProxies", "delete_leftovers"]


class LinkProxies:
    """Creates one proxy per link, and deletes them in the end.

    The run has its own Toxiproxy server as a rule. On one that others use (`--toxiproxy URL`) the names of the links
    may be taken: then what is there is left alone, and the run does not begin.

    Args:
        url: of the server's HTTP API.

    Raises:
        UnusableInput: the URL is none that a Toxiproxy could have.
    """

    def __init__(self, url: str) -> None:
        try:
            self.server = Toxiproxy(url)
        except ToxiproxyError as error:
            raise UnusableInput(str(error)) from error
        self._created: list[str] = []

    def check_free(self, links: Mapping[str, str]) -> None:
        """Raises UnusableInput when no Toxiproxy answers, or when it has a proxy with the name of a link."""
        try:
            taken = sorted(self.server.proxies().keys() & links.keys())
        except ToxiproxyError as error:
            raise UnusableInput(str(error)) from error
        if taken:
            raise UnusableInput(
                f"the Toxiproxy at {self.server.url} already has a proxy {taken[0]!r}: another run uses it, or was"
                " killed; end that run, or restart that server"
            )

    def create(self, upstreams: Mapping[str, str]) -> dict[str, str]:
        """Create a proxy for each link on a port that the server chooses.

        Args:
            upstreams: link name to `host:port`.

        Returns:
            Link name to the `host:port` that callers connect to.

        Raises:
            PartFailed: the server refused one.
        """
        listens = {}
        for link, upstream in upstreams.items():
            try:
                listens[link] = self.server.create(link, upstream).listen
            except ToxiproxyError as error:
                raise PartFailed(f"link {link}: {error}") from error
            self._created.append(link)
        return listens

    def delete(self) -> None:
        """Delete what `create` made. A server that is gone has deleted everything itself."""
        for link in self._created:
            try:
                self.server.delete(link)
            except ToxiproxyUnreachable:
                break
            except UnknownProxy:
                continue  # somebody else has
        self._created.clear()


def delete_leftovers(url: str, upstreams: Mapping[str, str]) -> None:
    """Delete those of these proxies that still lead to these upstreams: the names may be another run's by now."""
    server = Toxiproxy(url, attempts=1)
    for name, proxy in server.proxies().items():
        if upstreams.get(name) == proxy.upstream:
            server.delete(name)


def main(arguments: Sequence[str]) -> None:
    url, *pairs = arguments
    try:
        delete_leftovers(url, dict(pair.split("=", 1) for pair in pairs))
    except ToxiproxyError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
