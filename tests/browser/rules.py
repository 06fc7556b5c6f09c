# SPDX-License-Identifier: Apache-2.0
"""What holds for every page: each rule returns what breaks it, as lines for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, Response

from tests.browser.looking import NEVER_SAID, axe_violations, sideways, visible_text

Rule = Callable[[Page, Response, str], list[str]]

_CLIENTS: Final = Path(__file__).parents[2] / "clients"
_PLACE: Final = re.compile(r"\\\{\w+\\\}")
_LOG_NAME: Final = re.compile(r"\bcitizen-vault\.localhost/\d+")
_POLICY: Final = "content-security-policy"
_STRICT: Final = ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action")
_LOOSE: Final = re.compile(r"unsafe-|[ ]data:|[ ]\*|[ ]https?:(?!//)|strict-dynamic")
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_INLINE: Final = """() => [...document.querySelectorAll("*")].filter(node =>
  node.hasAttribute("style") || node.localName === "style"
  || [...node.attributes].some(attribute => attribute.name.startsWith("on"))
).map(node => node.outerHTML.slice(0, 200))"""
_TEXTS: Final = """language => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (parent.closest("script, style, [lang]:not(html):not([lang=" + language + "])")) continue;
    const text = node.textContent.replace(/\\s+/g, " ").trim();
    if (text) found.push(text);
  }
  return found;
}"""
_UNPRINTED: Final = """() => {
  const shown = node => node.getClientRects().length > 0;
  const fixed = [...document.querySelectorAll("body *")].filter(
    node => shown(node) && getComputedStyle(node).position === "fixed");
  const named = [...document.querySelectorAll(
    ".govuk-exit-this-page, .govuk-service-navigation, main .govuk-button, .govuk-skip-link")]
    .filter(shown);
  return [...fixed, ...named].map(node => node.outerHTML.slice(0, 120))
    .concat([...document.querySelectorAll("main")].some(shown) ? [] : ["no main part"]);
}"""


def answered(page: Page, response: Response, language: str) -> list[str]:
    """A page to which a link leads is there."""
    del page, language
    return [] if response.status == 200 else [f"{response.status}"]


def headed(page: Page, response: Response, language: str) -> list[str]:
    """A browser is told to run nothing inline, to be framed by nobody, and to keep nothing."""
    del page, language
    headers = response.headers
    policy = headers.get(_POLICY, "")
    wrong = [f"{name}: {headers.get(name)}" for name in HEADERS if headers.get(name) is None]
    wrong += [f"{name}: {headers[name]}" for name, said in HEADERS.items()
              if headers.get(name, said) != said]  # fmt: skip
    wrong += [f"the policy lacks {rule}" for rule in _STRICT if rule not in policy]
    return wrong + [f"the policy allows {loose}" for loose in _LOOSE.findall(policy)]


def titled(page: Page, response: Response, language: str) -> list[str]:
    """A page has one heading, with which its title begins, and says its language."""
    del response
    headings = [" ".join(text.split()) for text in page.locator("h1").all_inner_texts()]
    wrong = [] if len(headings) == 1 else [f"{len(headings)} headings"]
    title = " ".join(page.title().split())
    wrong += [f"the title is {title!r}, the heading {h!r}" for h in headings if h not in title]
    said = page.get_attribute("html", "lang")
    return wrong + ([] if said == language else [f"its language is said to be {said}"])


def built(page: Page, response: Response, language: str) -> list[str]:
    """Nothing stands inline, every form that changes something carries its token."""
    del response, language
    inline: list[str] = page.evaluate(_INLINE)
    forms = page.locator("form[method=post]:not(:has(input[name=csrf]))").count()
    return inline + ([f"{forms} forms without a token"] if forms else [])


def in_plain_words(page: Page, response: Response, language: str) -> list[str]:
    """No word of the trade is said, in either language; the log's name is its operator's."""
    del response, language
    return [f"says {' '.join(line.split())!r}" for line in visible_text(page).splitlines()
            if NEVER_SAID.search(_LOG_NAME.sub("", line))]  # fmt: skip


def in_one_language(page: Page, response: Response, language: str) -> list[str]:
    """No text of ours stands there in the other language, but where the page says so."""
    del response
    texts: list[str] = page.evaluate(_TEXTS, language)
    return [f"not in {language}: {text!r}" for text in texts
            if _of_the_other(language).fullmatch(text)]  # fmt: skip


def accessible(page: Page, response: Response, language: str) -> list[str]:
    """Nothing breaks WCAG 2.2 A or AA."""
    del response, language
    return axe_violations(page)


def fitting(page: Page, response: Response, language: str) -> list[str]:
    """Nobody has to scroll sideways."""
    del response, language
    wider = sideways(page)
    return [f"{wider} pixels too wide"] if wider > 0 else []


def printable(page: Page, response: Response, language: str) -> list[str]:
    """On paper there is what the page says, and nothing to press."""
    del response, language
    page.emulate_media(media="print")
    left: list[str] = page.evaluate(_UNPRINTED)
    page.emulate_media(media="screen")
    return [f"is printed, too: {html}" for html in left]


RULES: Final[tuple[Rule, ...]] = (
    answered,
    headed,
    titled,
    built,
    in_plain_words,
    in_one_language,
    accessible,
    fitting,
    printable,
)


def broken(page: Page, response: Response, language: str) -> list[str]:
    """Return what breaks any rule on a page, each line with the rule and the address."""
    return [
        f"{page.url}: {rule.__name__}: {line}"
        for rule in RULES
        for line in rule(page, response, language)
    ]


@cache
def _of_the_other(language: str) -> re.Pattern[str]:
    """Return what matches a text of ours as it is said in the other language."""
    other = "en" if language == "cy" else "cy"
    texts = {
        said
        for text in _all_texts()
        for said in _forms(text[other])
        # What both languages write alike, and what is too short to be told apart.
        if said not in _forms(text[language]) and len(said.split()) > 1
    }
    assert len(texts) > 100
    return re.compile("|".join(_PLACE.sub(".+", re.escape(text)) for text in sorted(texts)))


def _all_texts() -> Iterator[Mapping[str, Any]]:
    for file in sorted(_CLIENTS.rglob("words*.json")):
        for text in json.loads(file.read_bytes()).values():
            if isinstance(text, dict) and {"en", "cy"} <= text.keys():
                yield text


def _forms(text: str | Mapping[str, str]) -> list[str]:
    """Return a text as the page has it, in each of its forms by number."""
    forms = [text] if isinstance(text, str) else list(text.values())
    return list(chain.from_iterable((" ".join(form.split()),) for form in forms))
