# SPDX-License-Identifier: Apache-2.0
"""A visitor without a browser, who can send what no browser would: for attacks."""

from __future__ import annotations

import http.client
import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from tests.browser.crawling import kind_of

COOKIE: Final = "__Host-citizen-vault"
SAME_ORIGIN: Final = "same-origin"

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str

    def header(self, name: str) -> str:
        """Return a header, "" if it is not there."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def location(self) -> str:
        """Return where it leads, "" if nowhere."""
        return self.header("location")

    @property
    def cookies(self) -> list[str]:
        """Return what is set, flags and all."""
        return [value for key, value in self.headers if key.lower() == "set-cookie"]


@dataclass
class FormOnPage:
    """A form as a browser would send it if its first button were pressed."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Visitor:
    """Somebody who keeps cookies, and follows nothing by themselves."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Go to an address."""
        return self.send("GET", path, None, headers)

    def post(
        self, path: str, fields: Fields = (), headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a form, as a page of the same site does unless headers say otherwise."""
        usual = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": self.url,
            "sec-fetch-site": SAME_ORIGIN,
        }
        return self.send("POST", path, urlencode(fields).encode(), {**usual, **(headers or {})})

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        """Send any request."""
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = send(self.url, method, path, body, {"cookie": jar, **(headers or {})})
        for line in answer.cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value
        return answer

    @property
    def secret(self) -> str:
        """Return what the pages know this visitor by."""
        return self.cookies.get(COOKIE, "")

    def csrf(self, path: str = "/") -> str:
        """Return the token of the forms on a page."""
        forms = self.forms(path)
        return next(value for form in forms for name, value in form.fields if name == "csrf")

    def forms(self, path: str) -> list[FormOnPage]:
        """Return the forms of a page that change something."""
        return [form for form in forms_in(self.get(path).text, path) if form.method == "post"]

    def sign_in(self, sub: str, role: str = "citizen", service_id: str = "") -> Answer:
        """Sign in at the development issuer; return the answer to whom comes back."""
        asked = self.get(f"/sign-in?as={role}").location
        return self.get(self.approved(asked, sub, role, service_id))

    def approved(self, asked: str, sub: str, role: str = "citizen", service_id: str = "") -> str:
        """Say at the provider who it is; return the path to which that leads back."""
        issuer = urlsplit(asked)
        person = json.dumps([role, sub, service_id])
        fields = [*parse_qsl(issuer.query), ("person", person)]
        answer = send(
            f"{issuer.scheme}://{issuer.netloc}",
            "POST",
            issuer.path,
            urlencode(fields).encode(),
            {"content-type": "application/x-www-form-urlencoded"},
        )
        back = urlsplit(answer.location)
        assert f"{back.scheme}://{back.netloc}" == self.url, answer
        return f"{back.path}?{back.query}"


def send(
    url: str, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    """Send one request on a connection of its own."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        return Answer(response.status, tuple(response.getheaders()), text)
    finally:
        connection.close()


def forms_in(html: str, path: str) -> list[FormOnPage]:
    """Return the forms of a page.

    Args:
        path: of the page: where a form goes that does not say so.
    """
    reader = _Forms(path)
    reader.feed(html)
    return reader.found


def links_in(html: str) -> list[str]:
    """Return the addresses of ours to which a page leads."""
    reader = _Forms("")
    reader.feed(html)
    return reader.links


def forms_of(visitor: Visitor) -> Iterator[tuple[str, FormOnPage]]:
    """Yield every form on every page to which links lead; they are read before any is sent."""
    waiting, seen, found = deque(["/"]), Counter[str](), list[tuple[str, FormOnPage]]()
    while waiting:
        path = waiting.popleft().partition("#")[0]
        kind = kind_of(path)
        if seen[kind] >= 2 or path.startswith(("/exit", "/sign-")):
            continue
        seen[kind] += 1
        text = visitor.get(path).text
        found += [(path, form) for form in forms_in(text, path) if form.method == "post"]
        waiting += links_in(text)
    yield from found


def asked_in(location: str) -> dict[str, str]:
    """Return the parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


class _Forms(HTMLParser):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._select = ""
        self.found: list[FormOnPage] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a" and said.get("href", "").startswith("/"):
            self.links.append(said["href"])
        elif tag == "form":
            action, method = said.get("action") or self._path, said.get("method", "get").lower()
            self.found.append(FormOnPage(action, method))
        elif tag == "select":
            self._select = said.get("name", "")
        elif tag == "option" and self.found and self._select:
            self._add(self._select, said.get("value", ""))
            self._select = ""
        elif tag in {"input", "button", "textarea"} and self.found and "name" in said:
            self._take(said)

    def _take(self, said: Mapping[str, str]) -> None:
        name, kind = said["name"], said.get("type", "")
        is_first = name not in dict(self.found[-1].fields)
        if kind not in {"radio", "submit"} or is_first:
            self._add(name, said.get("value", ""))

    def _add(self, name: str, value: str) -> None:
        self.found[-1].fields.append((name, value))
