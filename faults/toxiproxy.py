"""The control side of a Toxiproxy server: every HTTP request to one goes through this file.

It stands on toxiproxy-python 0.1.1, whose `APIConsumer` carries the requests and names the errors. What that version
lacks, and is added here: more than one server per process (its address is a class attribute, so each server gets a
subclass), timeouts and retries, independence of the user's web proxy settings, updating a toxic, changing an upstream,
errors of status 500 and up, and answers that are not JSON.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import stamina
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from faults.errors import ToxiproxyError, ToxiproxyUnreachable, UnknownProxy

__all__ = ["DEFAULT_URL", "Proxy", "Toxic", "Toxiproxy"]

DEFAULT_URL = "http://127.0.0.1:8474"


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic as the server has it; attributes in Toxiproxy's units."""

    name: str
    type: str
    stream: str = "downstream"
    toxicity: float = 1.0
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy as the server has it; `listen` and `upstream` are `host:port`."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...] = ()


class Toxiproxy:
    """One Toxiproxy server, the original or any other that speaks its HTTP API.

    Safe to share between threads. Requests that do not get through are tried again; every one of them may be, because
    adding a toxic that is already there and removing one that is gone count as done on a second try.

    Args:
        url: `http://host:port`.
        timeout_s: for each try.
        attempts: tries in all.
    """

    def __init__(self, url: str = DEFAULT_URL, *, timeout_s: float = 5.0, attempts: int = 3) -> None:
        self.url = url.rstrip("/")
        self.host, port = _address(self.url)
        self._attempts = attempts
        self._consumer: type[APIConsumer] = type("Consumer", (APIConsumer,), {"host": self.host, "port": port})
        # Empty entries also switch off HTTP_PROXY and ALL_PROXY, which would send loopback to the user's web proxy.
        self._options = {"timeout": timeout_s, "proxies": {"http": "", "all": ""}}

    def version(self) -> str:
        """The server's version, such as `2.12.0`."""
        answer = self._send(self._consumer.get, "/version")
        # Before 2.2 it is plain text.
        return str(answer["version"]) if isinstance(answer, dict) and "version" in answer else str(answer).strip()

    def proxies(self) -> dict[str, Proxy]:
        """Every proxy with its toxics, by name."""
        answer = self._send(self._consumer.get, "/proxies")
        try:
            return {name: _proxy(described) for name, described in answer.items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise self._strange(f"a list of proxies it does not give ({type(error).__name__}: {error})") from error

    def proxy(self, name: str) -> Proxy:
        """Raises UnknownProxy."""
        return _proxy(self._send(self._consumer.get, _path(name)))

    def create(self, name: str, upstream: str, listen: str = "127.0.0.1:0") -> Proxy:
        """Create a proxy; its `listen` has the port that was chosen."""
        body = {"name": name, "upstream": upstream, "listen": listen, "enabled": True}

        def exists() -> Proxy:
            return self.proxy(name)

        answer = self._send(self._consumer.post, "/proxies", body, done_already=(ProxyExists, exists))
        return answer if isinstance(answer, Proxy) else _proxy(answer)

    def delete(self, name: str) -> None:
        self._send(self._consumer.delete, _path(name), done_already=(NotFound, dict))

    def enable(self, name: str) -> None:
        self._send(self._consumer.post, _path(name), {"enabled": True})

    def disable(self, name: str) -> None:
        """Close the proxy's connections and refuse new ones."""
        self._send(self._consumer.post, _path(name), {"enabled": False})

    def set_upstream(self, name: str, upstream: str) -> None:
        """Lead the proxy elsewhere; its connections are closed."""
        self._send(self._consumer.post, _path(name), {"upstream": upstream})

    def add_toxic(self, proxy: str, toxic: Toxic) -> None:
        body = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        self._send(self._consumer.post, _path(proxy) + "/toxics", body, done_already=(ProxyExists, dict))

    def update_toxic(self, proxy: str, name: str, attributes: Mapping[str, int]) -> None:
        self._send(self._consumer.post, _path(proxy, name), {"attributes": dict(attributes)})

    def remove_toxic(self, proxy: str, name: str) -> None:
        self._send(self._consumer.delete, _path(proxy, name), done_already=(NotFound, dict))

    def reset(self) -> None:
        """Remove every toxic of every proxy and enable them all."""
        self._send(self._consumer.post, "/reset")

    def _send(
        self,
        method: Callable[..., requests.Response],
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        done_already: tuple[type[Exception], Callable[[], Any]] | None = None,
    ) -> Any:
        """The answer's JSON (or text).

        `done_already` is an error that on a later try means that an earlier one got through, and what to answer then.
        """
        options: dict[str, object] = dict(self._options)
        if body is not None:
            options["json"] = body
        unreachable = (requests.ConnectionError, requests.Timeout)
        try:
            for attempt in stamina.retry_context(
                on=unreachable, attempts=self._attempts, timeout=None, wait_initial=0.05, wait_max=0.5
            ):
                with attempt:
                    try:
                        return self._decoded(method(path, **options))
                    except (InvalidToxic, NotFound, ProxyExists) as error:
                        if attempt.num > 1 and done_already is not None and isinstance(error, done_already[0]):
                            return done_already[1]()
                        raise self._refusal(error) from error
        except unreachable as error:
            raise ToxiproxyUnreachable(f"no Toxiproxy answers at {self.url}: {_reason(error)}") from error
        except requests.RequestException as error:
            raise ToxiproxyError(f"Toxiproxy at {self.url}: {_reason(error)}") from error

    def _decoded(self, response: requests.Response) -> Any:
        if response.status_code >= 400:
            raise ToxiproxyError(f"Toxiproxy at {self.url} answered {response.status_code}: {_said(response.content)}")
        if not response.content:
            return {}
        try:
            return response.json()
        except requests.JSONDecodeError:
            if response.headers.get("content-type", "").startswith("text/plain"):
                return response.text
            raise self._strange(_said(response.content)) from None

    def _refusal(self, error: Exception) -> ToxiproxyError:
        kind = UnknownProxy if isinstance(error, NotFound) else ToxiproxyError
        return kind(f"Toxiproxy at {self.url} refused: {_said(error.args[0])}")

    def _strange(self, answer: str) -> ToxiproxyError:
        return ToxiproxyError(f"what answers at {self.url} is not Toxiproxy: {answer}")


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname or parts.path or parts.query or parts.username:
        raise ToxiproxyError(f"expected Toxiproxy's address as http://HOST:PORT, got {url!r}")
    return (f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname), port


def _path(proxy: str, toxic: str | None = None) -> str:
    path = f"/proxies/{quote(proxy, safe='')}"
    return path if toxic is None else f"{path}/toxics/{quote(toxic, safe='')}"


def _proxy(described: Mapping[str, Any]) -> Proxy:
    toxics = tuple(
        Toxic(toxic["name"], toxic["type"], toxic["stream"], float(toxic["toxicity"]), dict(toxic["attributes"]))
        for toxic in described.get("toxics") or ()
    )
    return Proxy(described["name"], described["listen"], described["upstream"], described["enabled"] is True, toxics)


def _said(content: object) -> str:
    """The server's own words: the `error` of its JSON, else the beginning of the text; always one line."""
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["error"])
    return " ".join(text.split())[:200] or "an empty answer"


def _reason(error: requests.RequestException) -> str:
    """What the operating system said, rather than the five exceptions around it."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(error).split())[:200]
