# SPDX-License-Identifier: Apache-2.0
"""Planning permission from end to end, on a real server: given once, asked for, seen, decided.

The council's page is spoken to as a browser does; she answers as her pages do. Her pages themselves
are in `tests/browser/test_planning.py`.
"""

from __future__ import annotations

import http.client
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clients.connection import Connection
from clients.demo import asking
from clients.demo.deployment import OnSQLite
from clients.demo.expectations import Expectations
from clients.demo.people import OPERATOR
from clients.demo.planning import setting_up, site
from clients.demo.registration import register
from clients.demo.server import running
from clients.demo.stage import Stage
from clients.demo.things import things_of
from vault.api.v1 import disclosure_pb2
from vault.api.v1.consent_service_pb2 import (
    ClaimRequestRequest,
    ClaimRequestResponse,
    ListConsentsRequest,
    RefuseConsentRequest,
)
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

PLANS = "A ramp to the front door"


@dataclass
class Council:
    """The council's page, its team, and who applies there."""

    url: str
    team: Connection
    mair: Connection


@dataclass
class Browser:
    """A browser with a cookie jar for one site."""

    url: str
    cookie: str = ""
    text: str = ""
    status: int = 0
    location: str = field(default="")

    def send(self, method: str, path: str, **said: str) -> Browser:
        """Send something, and keep what came."""
        address = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(address.netloc, timeout=20)
        body = urllib.parse.urlencode(said) if method == "POST" else None
        headers = {"content-type": "application/x-www-form-urlencoded", "cookie": self.cookie}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        self.text, self.status = answer.read().decode(), answer.status
        self.location = answer.headers.get("location", "")
        self.cookie = (answer.headers.get("set-cookie") or self.cookie).partition(";")[0]
        connection.close()
        return self

    def apply(self) -> str:
        """Apply, and return the token of her link."""
        self.send("POST", "/apply", plans=PLANS)
        assert self.status == 303
        return self.location.rpartition("/")[2]

    def back(self, claimed: ClaimRequestResponse, **changed: str) -> Browser:
        """Come back with her answer."""
        said = {"code": claimed.code, "state": claimed.state, **changed}
        return self.send("GET", f"/back?{urllib.parse.urlencode(said)}")


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Council]:
    """A server on which Mair gave everything once, and the council's page beside it."""
    folder: Path = tmp_path_factory.mktemp("planning")
    deployment = OnSQLite(folder / "data")
    deployment.data.mkdir(mode=0o700)
    with running(deployment) as server, Stage(server) as stage:
        operator = stage.enter("operator", OPERATOR, "Operator")
        register(operator)
        team = setting_up.register(operator)
        mair = stage.enter("citizen", "mair", "Mair")
        setting_up.give(mair)
        connection = stage.enter("service", team.service_id, "Planning team")
        with site.opened(connection) as url:
            yield Council(url, connection, mair)


@pytest.fixture
def browser(council: Council) -> Browser:
    return Browser(council.url)


def claim(council: Council, token: str) -> ClaimRequestResponse:
    """Open a link as she does."""
    request = ClaimRequestRequest(request_id=asking.new_id(), handoff_token=token)
    claimed: ClaimRequestResponse = council.mair.consents.ClaimRequest(request)
    return claimed


def share(council: Council, claimed: ClaimRequestResponse) -> None:
    """Share everything that is asked for, and nothing else."""
    asked = claimed.consent_request
    asking.share(council.mair, asked, things_of(asked.scope), Expectations())


def history(council: Council, count: int) -> list[HistoryEntry]:
    """Return her last lines, newest first."""
    request = ListHistoryRequest(page_size=count)
    return list(council.mair.vaults.ListHistory(request).entries)


def test_what_she_gave_once_is_seen_and_how_it_was_decided_comes_back(
    council: Council, browser: Browser
) -> None:
    claimed = claim(council, browser.apply())
    share(council, claimed)

    assert browser.back(claimed).location == "/application"
    page = browser.send("GET", "/application").text
    browser.send("POST", "/office", number=number_in(page), stage="in-progress")
    browser.send("POST", "/office", number=number_in(page), stage="granted")
    decided = browser.send("GET", "/application").text
    told, _, received, seen = history(council, 4)
    consent = council.mair.consents.ListConsents(ListConsentsRequest(page_size=1)).consents[0]

    assert "We have received it." in page
    for shown in ("Mair Pugh", "14 Heol yr Afon, Aber, SY29 4ZZ", "certificate A", PLANS):
        assert shown in " ".join(page.split())
    assert "Permission is granted." in decided
    assert seen.type == "evidence-disclosed.1"
    assert {item.evidence_type for item in seen.items} == {
        "identity",
        "planning_ownership",
        "postal_address",
    }
    assert received.report.status == disclosure_pb2.REPORT_STATUS_RECEIVED
    assert told.report.status == disclosure_pb2.REPORT_STATUS_GRANTED
    assert consent.last_report == told.report
    assert {line.case_ref for line in (told, received, seen)} == {number_in(page)}


def test_what_was_not_asked_for_is_not_in_the_file(council: Council, browser: Browser) -> None:
    claimed = claim(council, browser.apply())
    share(council, claimed)

    browser.back(claimed)

    asked = {
        (scope.evidence_type, name)
        for scope in claimed.consent_request.scope
        for name in scope.required
    }
    seen = {
        (item.evidence_type, name)
        for line in history(council, 2)
        for item in line.items
        for name in item.names
    }
    assert seen == asked
    assert "CYM123456" not in browser.send("GET", "/application").text


def test_who_says_no_is_told_of_another_way_and_nothing_is_seen(
    council: Council, browser: Browser
) -> None:
    claimed = claim(council, browser.apply())
    council.mair.consents.RefuseConsent(
        RefuseConsentRequest(
            request_id=asking.new_id(),
            consent_request_id=claimed.consent_request.consent_request_id,
        )
    )

    browser.back(claimed)

    assert "You said no, and we saw nothing." in browser.send("GET", "/application").text
    assert history(council, 1)[0].type == "consent-refused.1"


@pytest.mark.parametrize("changed", [{"state": "guessed"}, {"state": ""}])
def test_an_answer_with_another_state_is_taken_for_nobody_s(
    council: Council, browser: Browser, changed: dict[str, str]
) -> None:
    claimed = claim(council, browser.apply())
    share(council, claimed)

    assert browser.back(claimed, **changed).status == 400
    assert history(council, 1)[0].type == "consent-granted.1"
    assert browser.back(claimed).status == 303


def test_an_answer_in_another_browser_fills_nobody_s_application(
    council: Council, browser: Browser
) -> None:
    """Otherwise somebody could have her answer put into his own application."""
    claimed = claim(council, browser.apply())
    share(council, claimed)
    his = Browser(council.url)
    his.apply()

    assert his.back(claimed).status == 400
    assert Browser(council.url).back(claimed).status == 400
    assert "Mair" not in his.send("GET", "/application").text


def test_coming_back_twice_sees_it_once(council: Council, browser: Browser) -> None:
    claimed = claim(council, browser.apply())
    share(council, claimed)

    browser.back(claimed)
    browser.back(claimed)

    kinds = [line.type for line in history(council, 3)]
    assert kinds == ["recipient-reported.1", "evidence-disclosed.1", "consent-granted.1"]


def test_a_form_of_another_site_is_not_taken(council: Council) -> None:
    address = urllib.parse.urlsplit(council.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=20)
    headers = {"origin": "https://elsewhere.example", "content-length": "9"}
    connection.request("POST", "/apply", "plans=all", headers)

    assert connection.getresponse().status == 403
    connection.close()


def number_in(page: str) -> str:
    """Return the number of an application, by its page."""
    return page.partition("<h1>Your application ")[2].partition("<")[0]
