"""A client and its upstream, joined by one link in each direction."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from faults.proxy.endpoint import Endpoint
from faults.proxy.link import Link
from faults.proxy.poller import Poller
from faults.proxy.toxic_chain import ToxicChain

__all__ = ["Connection"]


class Connection:
    """Lives from the moment both sockets are connected until both are closed."""

    __slots__ = ("_chain", "_on_closed", "_on_link_end", "client", "downstream", "upstream", "upstream_server")

    def __init__(
        self,
        client: Endpoint,
        upstream_server: Endpoint,
        chain: ToxicChain,
        poller: Poller,
        random: Random,
        on_link_end: Callable[[Link], None],
        on_closed: Callable[[Connection], None],
    ) -> None:
        self.client = client
        self.upstream_server = upstream_server
        self._chain = chain
        self._on_link_end = on_link_end
        self._on_closed = on_closed
        self.upstream = Link(
            "upstream", client, upstream_server, chain.of("upstream"), poller, random, self._link_ended
        )
        self.downstream = Link(
            "downstream", upstream_server, client, chain.of("downstream"), poller, random, self._link_ended
        )
        chain.follow(self.upstream)
        chain.follow(self.downstream)
        client.on_readable = upstream_server.on_flushed = self.upstream.pump
        upstream_server.on_readable = client.on_flushed = self.downstream.pump
        client.on_closed = self._client_closed
        upstream_server.on_closed = self._upstream_closed

    def start(self) -> None:
        """Begin with what the sockets already hold, then follow them."""
        self.client.watch()
        self.upstream_server.watch()
        self.upstream.pump()
        self.downstream.pump()

    def close(self) -> None:
        """Close both sockets at once."""
        self._arrange_reset()
        self.client.close()
        self.upstream_server.close()

    def _client_closed(self) -> None:
        self._one_closed(lost=self.downstream, ended=self.upstream, other=self.upstream_server)

    def _upstream_closed(self) -> None:
        self._one_closed(lost=self.upstream, ended=self.downstream, other=self.client)

    def _one_closed(self, *, lost: Link, ended: Link, other: Endpoint) -> None:
        lost.dest_is_lost()
        ended.source_has_ended()
        if other.closed:
            self._on_closed(self)

    def _link_ended(self, link: Link) -> None:
        self._arrange_reset()
        self._chain.unfollow(link)
        self._on_link_end(link)

    def _arrange_reset(self) -> None:
        """A toxic that resets does so to both sockets, whichever direction it is on and whatever ends them."""
        if self.upstream.resets or self.downstream.resets:
            self.client.reset_on_close()
            self.upstream_server.reset_on_close()
