"""Both servers, once per session, emptied after every test; and an upstream to put behind them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.proxy.servers import ORIGINAL, Server, running
from tests.faults.proxy.wire import Upstream

needs_original = pytest.mark.skipif(
    not ORIGINAL.exists(), reason="the original is absent; `make peers` builds it with Go"
)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    with running("embedded") as server:
        yield server


@pytest.fixture(scope="session")
def original_server() -> Iterator[Server]:
    with running("original") as server:
        yield server


@pytest.fixture
def embedded(embedded_server: Server) -> Iterator[Server]:
    """The embedded server alone, for what the original cannot do or only one has to hold."""
    yield embedded_server
    embedded_server.clear()


@pytest.fixture(params=["embedded", pytest.param("original", marks=[needs_original, pytest.mark.peers])])
def toxiproxy(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each of the two in turn: what holds for one has to hold for the other."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    yield server
    server.clear()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server
