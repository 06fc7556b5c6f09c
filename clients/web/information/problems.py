# SPDX-License-Identifier: Apache-2.0
"""What the server says is wrong with values, beside the question concerned and in her language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.web.information.question import Question
    from clients.wording.published import Kind
    from clients.wording.words import Words

TOP: Final = "answers"
"""The id of what stands above all questions: what is wrong with none of them alone."""

_ONE_OF: Final = re.compile(r"At least one of these must be here: (.+)\.")
_SAID: Final = (
    (r"This field is missing\.", "missing"),
    (r"This is empty\.", "missing"),
    (r"This has fewer than (\d+) characters\.", "short"),
    (r"This has more than (\d+) characters\.", "long"),
    (r"This is less than (-?\d+)\.", "less"),
    (r"This is more than (-?\d+)\.", "more"),
    (r"This has fewer than (\d+) entries\.", "few"),
    (r"This has more than (\d+) entries\.", "many"),
    (r"The same entry stands here twice\.", "twice"),
    (r"This is not a real date, written as .+", "date"),
    (r"This is not one of the permitted codes\.", "code"),
    (r"This must be one of: .+", "code"),
    (r"This must be a whole number\.", "number"),
)


def placed(asked: Iterable[Question], found: Mapping[str, str], words: Words) -> dict[str, str]:
    """Return problems by the ids of the inputs concerned.

    Args:
        found: sentences by pointer, "" for all of it.
    """
    every = _by_pointer(asked)
    errors: dict[str, str] = {}
    for pointer, text in found.items():
        question = _nearest(every, pointer)
        if question is None:
            errors.setdefault(TOP, text)
        else:
            said = words("wrong.field", label=question.label, why=text)
            errors.setdefault(question.target, said)
    return errors


def of_server(
    kind: Kind,
    asked: Iterable[Question],
    fields: Iterable[tuple[str, str]],
    words: Words,
) -> dict[str, str]:
    """Return what the server says, by the ids of the inputs concerned."""
    asked = tuple(asked)
    every = _by_pointer(asked)
    found: dict[str, str] = {}
    for pointer, said in fields:
        question = _nearest(every, pointer)
        found.setdefault(pointer, in_her_words(kind, question, said, words))
    return placed(asked, found, words)


def in_her_words(kind: Kind, question: Question | None, said: str, words: Words) -> str:
    """Return a sentence of the server as she reads it."""
    one_of = _ONE_OF.fullmatch(said)
    if one_of:
        labels = re.sub(r"[A-Za-z0-9]+", lambda name: _label(kind, name[0], words), one_of[1])
        return words("problem.one.of", labels=labels)
    for pattern, key in _SAID:
        match = re.fullmatch(pattern, said)
        if match:
            limit = match[1] if match.groups() else ""
            return words(f"problem.{key}", limit=limit)
    return " ".join(filter(None, (words("problem.other"), question.hint if question else "")))


def _label(kind: Kind, name: str, words: Words) -> str:
    if name == "with":
        return words("problem.with")
    field = kind.field(name)
    return f"“{field.label}”" if field else name


def _by_pointer(asked: Iterable[Question]) -> dict[str, Question]:
    # A blank entry stands where the next one will: what is said there is said of that.
    return {one.pointer: one for question in asked for one in question.walk()}


def _nearest(every: Mapping[str, Question], pointer: str) -> Question | None:
    """Return the question for a pointer, or for what it lies within."""
    while pointer:
        if pointer in every:
            return every[pointer]
        pointer = pointer.rpartition("/")[0]
    return None
