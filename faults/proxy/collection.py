"""All proxies of a server, by name."""

from __future__ import annotations

from random import Random

from faults.proxy.errors import PROXY_ALREADY_EXISTS, PROXY_NOT_FOUND, ApiError
from faults.proxy.metrics import Traffic
from faults.proxy.poller import Poller
from faults.proxy.proxy import Proxy
from faults.proxy.requests import ProxyRequest

__all__ = ["Collection"]


class Collection:
    """Creates, replaces and removes proxies. A proxy is only in it when it started, or was not meant to."""

    def __init__(self, poller: Poller, random: Random, traffic: Traffic) -> None:
        self._proxies: dict[str, Proxy] = {}
        self._poller = poller
        self._random = random
        self._traffic = traffic

    def all(self) -> list[Proxy]:
        """In the order of their names."""
        return [self._proxies[name] for name in sorted(self._proxies)]

    def get(self, name: str) -> Proxy:
        try:
            return self._proxies[name]
        except KeyError:
            raise ApiError(*PROXY_NOT_FOUND) from None

    async def add(self, request: ProxyRequest) -> Proxy:
        if request.name in self._proxies:
            raise ApiError(*PROXY_ALREADY_EXISTS)
        return await self._put(request)

    async def add_or_replace(self, request: ProxyRequest) -> Proxy:
        """Keep a proxy that has these addresses already, toxics included; replace one that has others."""
        existing = self._proxies.get(request.name)
        if existing is not None:
            if not await existing.differs(request.listen, request.upstream):
                return existing
            existing.stop()
        return await self._put(request)

    async def _put(self, request: ProxyRequest) -> Proxy:
        proxy = Proxy(request.name, request.listen, request.upstream, self._poller, self._random, self._traffic)
        if request.enabled:
            await proxy.start()
        self._proxies[proxy.name] = proxy
        return proxy

    def remove(self, name: str) -> None:
        self.get(name).stop()
        del self._proxies[name]

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic."""
        for proxy in self.all():
            await proxy.start()
            proxy.toxics.clear()

    def stop(self) -> None:
        for proxy in self.all():
            proxy.stop()
