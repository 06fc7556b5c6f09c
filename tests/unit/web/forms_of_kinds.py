# SPDX-License-Identifier: Apache-2.0
"""Forms made from the published kinds, as a browser shows them and sends them back."""

from __future__ import annotations

import functools
import json
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from clients.web.forms import Form
from clients.web.information.question import Question
from clients.web.settings import Settings
from clients.web.templates import Templates
from clients.web.words import PageWords
from clients.wording.published import Kind, Published
from vault.api.v1.registry_pb2 import EvidenceType
from vault.api.v1.registry_service_pb2 import ListEvidenceTypesResponse
from vault.evidence_types import load_seeds

VECTORS: Final = Path(__file__).parents[2] / "vectors" / "evidence"
NAMES: Final = [seed.evidence_type for seed in load_seeds()]
BY_FORM: Final = [name for name in NAMES if name != "document"]
_PAGE: Final = """{% from "information/questions.html" import all_questions with context %}
<form>{{ all_questions(questions) }}</form>"""


def words(language: str = "en") -> PageWords:
    return PageWords(language, "information")


def kind_of(name: str, language: str = "en") -> Kind:
    definition = files("vault.evidence_types").joinpath(f"{name}.json").read_bytes()
    return kind_from(json.loads(definition), language)


def kind_from(definition: dict[str, Any], language: str = "en") -> Kind:
    """Return a kind as the registry publishes it."""
    one = EvidenceType(
        evidence_type=definition["evidence_type"],
        schema_version=1,
        definition=json.dumps(definition).encode(),
    )
    answer = ListEvidenceTypesResponse(evidence_types=[one])
    connection: Any = SimpleNamespace(registry=SimpleNamespace(ListEvidenceTypes=lambda _: answer))
    return Published(connection, words(language)).kind(definition["evidence_type"])


def valid(name: str) -> dict[str, dict[str, Any]]:
    """Return the values of a kind that its vectors call good, by their names."""
    return {path: case["values"] for path, case in _cases(name) if not case["violations"]}


def invalid(name: str) -> dict[str, dict[str, Any]]:
    """Return the values of a kind that its vectors call bad, by their names."""
    return {
        path: case["values"]
        for path, case in _cases(name)
        if case["violations"] and isinstance(case["values"], dict)
    }


def _cases(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.stem, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((VECTORS / name).glob("*.json"))
    ]


@functools.cache
def _page() -> Any:
    settings = Settings("localhost:1", "http://localhost", "http://localhost", "", Path())
    return Templates(settings)._environment.from_string(_PAGE)  # noqa: SLF001 - no page of ours


class Shown(HTMLParser):
    """A form as a browser shows it.

    Attributes:
        fields: what it sends when nothing more is typed.
        ids: of everything on it.
        labels: the ids for which there is a label.
    """

    def __init__(self, asked: tuple[Question, ...], language: str = "en") -> None:
        super().__init__()
        self.fields: dict[str, tuple[str, ...]] = {}
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.inputs: set[str] = set()
        self._area = self._select = ""
        self.html = _page().render(questions=asked, words=words(language), errors={})
        self.feed(self.html)

    @property
    def form(self) -> Form:
        return Form(
            {name: tuple(one.strip() for one in all_) for name, all_ in self.fields.items()}
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "label":
            self.labels.add(found.get("for", ""))
        if tag in {"input", "select", "textarea"} and found.get("type") != "hidden":
            self.inputs.add(found["id"])
        if tag == "textarea":
            self._area = name
            self.fields[name] = ("",)
        elif tag == "select":
            self._select = name
            self.fields[name] = ("",)
        elif tag == "option" and "selected" in found:
            self.fields[self._select] = (found["value"],)
        elif tag == "input":
            is_choice = found.get("type") in {"radio", "checkbox"}
            if not is_choice or "checked" in found:
                self.fields[name] = (*self.fields.get(name, ()), found.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] = (self.fields[self._area][0] + data,)
