# SPDX-License-Identifier: Apache-2.0
"""What streams admit: contiguous versions, request keys once, whole appends."""

from __future__ import annotations

from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from vault.store.admission import Admission, questions
from vault.store.append import Append


def an_append(*events: tuple[str, int], request_key: str = "") -> Append:
    return Append(
        tuple(StoredEvent(stream, version, "topic", b"") for stream, version in events),
        request_key=request_key,
    )


def admission_of(batch: list[Append]) -> Admission:
    """Return what streams that hold nothing admit."""
    return Admission({stream: None for stream, _ in questions(batch)})


appends = st.builds(
    lambda events, key: an_append(*events, request_key=key),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-1, 5)), min_size=1, max_size=3),
    st.sampled_from(["", "", "key", "other key"]),
)


@given(st.lists(appends, max_size=30))
def test_what_is_admitted_is_contiguous_in_each_stream(batch: list[Append]) -> None:
    admission = admission_of(batch)

    admitted = [append for append in batch if admission.admits(append)]

    for stream in "ab":
        versions = [
            event.originator_version
            for append in admitted
            for event in append.events
            if event.originator_id == stream
        ]
        first = versions[0] if versions else 1
        assert first in (0, 1)
        assert versions == list(range(first, first + len(versions)))


@given(st.lists(appends, max_size=30))
def test_no_request_key_is_admitted_twice_in_a_stream(batch: list[Append]) -> None:
    admission = admission_of(batch)

    names = [
        (append.events[0].originator_id, append.request_key)
        for append in batch
        if admission.admits(append) and append.request_key
    ]

    assert len(names) == len(set(names))


@given(st.lists(appends, max_size=30))
def test_a_batch_is_judged_as_if_its_appends_came_one_by_one(batch: list[Append]) -> None:
    at_once = admission_of(batch)
    heads: dict[str, int | None] = {"a": None, "b": None}
    taken: set[tuple[str, str]] = set()

    for append in batch:
        # What the database would say just before this append.
        is_admitted = Admission(heads, taken).admits(append)
        if is_admitted:
            heads.update((str(e.originator_id), e.originator_version) for e in append.events)
            taken.add((str(append.events[0].originator_id), append.request_key))

        assert at_once.admits(append) == is_admitted


def test_a_refused_append_takes_nothing() -> None:
    admission = Admission({"a": 3, "b": None})

    assert not admission.admits(an_append(("a", 4), ("b", 2), request_key="key"))
    assert admission.admits(an_append(("a", 4), request_key="key"))


def test_a_taken_request_key_is_refused() -> None:
    admission = Admission({"a": 3}, [("a", "key")])

    assert not admission.admits(an_append(("a", 4), request_key="key"))
    assert admission.admits(an_append(("a", 4), request_key="other key"))


def test_questions_are_asked_once_and_name_the_key_for_the_first_event() -> None:
    batch = [an_append(("a", 1), ("b", 1), ("b", 2), request_key="key"), an_append(("b", 3))]

    assert questions(batch) == [("a", "key"), ("b", "")]
