# SPDX-License-Identifier: Apache-2.0
"""Somebody with a browser that keeps cookies, follows redirections and fills in forms; no script.

It stops where a program waits for it, and says with what it came back.
"""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

_SECONDS: Final = 10
_MOST_STEPS: Final = 10


class BackError(Exception):
    """The browser was sent back to the program that waits."""

    def __init__(self, url: str) -> None:
        super().__init__("back at the program that waits")
        self.url = url
        query = urllib.parse.urlsplit(url).query
        self.answer = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))


@dataclass
class Form:
    """A form of a page: where it leads, what stands in it, and its buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Page:
    """A page: its address, status, headers, text and forms."""

    url: str
    status: int
    headers: Any
    text: str
    forms: list[Form]

    def form_with(self, name: str) -> Form:
        """Return the first form that has a field or button of a name."""
        named = (one for one in self.forms if name in one.fields or name in dict(one.buttons))
        return next(named)


class Visitor:
    """Somebody with a browser. `waiting_at` begins the addresses at which a program waits."""

    def __init__(self, *waiting_at: str) -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        no_proxy = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(jar, no_proxy, _Stays(waiting_at))

    def opens(self, url: str, form: dict[str, str] | None = None) -> Page:
        """Open a page, or send a form.

        Raises:
            BackError: once the browser is sent back to who waits.
        """
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            answer = self._opener.open(urllib.request.Request(url, data), timeout=_SECONDS)  # noqa: S310
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
            read = _Forms(answer.url)
            read.feed(text)
            return Page(answer.url, answer.status, answer.headers, text, read.forms)

    def sends(self, form: Form, **typed: str) -> Page:
        """Send a form, with what was typed or pressed."""
        return self.opens(form.action, {**form.fields, **typed})

    def comes_back(self, url: str, *filled: dict[str, str]) -> dict[str, str]:
        """Open a page and send its forms, one after the other; return the answer at the end."""
        try:
            page = self.opens(url)
            for typed in filled:
                page = self.sends(page.form_with(next(iter(typed))), **typed)
            for _ in range(_MOST_STEPS):
                page = self.sends(page.forms[0])
        except BackError as back:
            return back.answer
        raise AssertionError("Nobody was sent back.")


class _Stays(urllib.request.HTTPRedirectHandler):
    def __init__(self, waiting_at: tuple[str, ...]) -> None:
        self._waiting_at = waiting_at

    def redirect_request(  # noqa: PLR0917 - the library's own
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if newurl.startswith(self._waiting_at):
            fp.close()
            raise BackError(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Forms(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urllib.parse.urljoin(self._url, said.get("action", ""))
            self.forms.append(Form(action, said.get("method", "get")))
        elif tag == "button" and self.forms:
            self.forms[-1].buttons.append((said.get("name", ""), said.get("value", "")))
        elif tag == "input" and self.forms and said.get("name"):
            is_choice = said.get("type") in {"radio", "checkbox"} and "checked" not in said
            if not is_choice:
                self.forms[-1].fields[said["name"]] = said.get("value", "")
