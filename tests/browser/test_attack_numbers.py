# SPDX-License-Identifier: Apache-2.0
"""Numbers that nobody has, where a page takes one: said to be wrong, never an error of ours."""

from __future__ import annotations

import pytest

from clients.demo.people import BRIGHTCARE_STAFF
from tests.browser.belongings import belongings_of
from tests.browser.site import Person, Site
from tests.browser.visiting import Visitor

LENGTHS = (1, 19, 25, 600, 5000)
"""Of 5000 digits Python makes no number."""


def test_no_number_in_an_address_is_an_error_of_ours(site: Site, mair: Person) -> None:
    visitor = Visitor(site.url)
    visitor.sign_in(mair.sub)
    piece = belongings_of(mair).of("evidence_id")
    places = (
        *("/seen/{}", "/seen/{}/wrong", "/confirmations/{}", "/confirmations/{}/file"),
        *(f"/information/{piece}?version={{}}", f"/information/{piece}/document?version={{}}"),
        "/seen?since-day={0}&since-month=1&since-year={0}",
    )

    found = {
        (place, length): visitor.get(place.format("9" * length)).status
        for place in places
        for length in LENGTHS
    }

    assert {key: status for key, status in found.items() if status >= 500} == {}


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("day", [(1, 1, 1), (31, 12, 9999)])
def test_the_first_and_the_last_day_are_days(
    site: Site, mair: Person, name: str, day: tuple[int, int, int]
) -> None:
    visitor = Visitor(site.url)
    visitor.sign_in(mair.sub)
    said = "&".join(
        f"{name}-{part}={n}" for part, n in zip(("day", "month", "year"), day, strict=True)
    )

    assert visitor.get(f"/seen?{said}").status == 200


def test_no_number_in_a_purpose_is_an_error_of_ours(site: Site) -> None:
    visitor = Visitor(site.url)
    visitor.sign_in(BRIGHTCARE_STAFF, "staff", site.story.brightcare_team.service_id)
    numbers = ("longest_days", "retention_days", "times", "period_days")
    said = [("csrf", visitor.csrf("/staff/purposes/new")), ("code", "trying"), ("basis", "consent")]

    answer = visitor.post("/staff/purposes/new", [*said, *((name, "999999") for name in numbers)])

    assert answer.status == 422
