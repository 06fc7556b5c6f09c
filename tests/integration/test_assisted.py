# SPDX-License-Identifier: Apache-2.0
"""An official who helps her, over the wire: by her code alone, and everything says so."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.samples import KEYS, Samples, by_official
from tests.verdict import head, must_be_told, untouched
from tests.wire import METHODS, Answer, Place, places
from tests.world import Citizen, World, assisted, new_id
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import vault_pb2 as pb
from vault.api.v1 import vault_service_pb2 as vaults

ACTING: Final = {
    method: place
    for method, role in KEYS
    if role == "official"
    for place in places(METHODS[method].input_type)
    if place.steps[-1] == "assistance_code"
}
"""Where the code stands in what an official sends."""
OPEN: Final = "VaultService/OpenVault"
ASSISTED: Final = [method for method in ACTING if method != OPEN]
NAMING: Final = [
    method
    for method in ASSISTED
    for place in places(METHODS[method].input_type)
    if place.steps[-1] in {"evidence_id", "consent_id", "consent_request_id", "sign_in_id"}
    and place.steps[0] not in {"choice", "header"}
]
"""What names something of hers besides the code."""


@pytest.fixture(scope="module")
def closed(samples: Samples) -> str:
    """A code that Mair made and closed."""
    request = vaults.CreateAssistanceCodeRequest(request_id=new_id())
    made = samples.citizen.caller.ask("VaultService/CreateAssistanceCode", request)
    way = made.vault.sign_ins[-1].sign_in_id
    answer = samples.citizen.caller.call(
        "VaultService/UnlinkSignIn",
        vaults.UnlinkSignInRequest(request_id=new_id(), sign_in_id=way),
    )
    assert answer.is_ok
    code: str = made.assistance_code
    return code


def acting_of(request: Any) -> pb.Acting:
    first = request[0].header if isinstance(request, list) else request
    acting: pb.Acting = first.acting
    return acting


@pytest.mark.parametrize("method", ASSISTED)
def test_a_code_that_leads_nowhere_opens_nothing(
    world: World, samples: Samples, closed: str, method: str
) -> None:
    request = samples.make(method, "official")
    short = world.ask(samples.service, with_short_code=True).short_code
    codes = {
        "none": "",
        "unknown": "0123456789ABCDEFGHJK",
        "closed": closed,
        "closed, with the vault": closed,
        "a short code": short,
        "half of hers": samples.citizen.assistance_code[:11],
        "her sign-in": samples.citizen.sub,
    }
    before = head(world.server)

    answers = {}
    for what, code in codes.items():
        changed = ACTING[method].put(copy.deepcopy(request), code)
        if what == "closed, with the vault":
            acting_of(changed).vault_id = samples.citizen.vault_id
        answers[what] = world.official.call(method, changed)

    assert {what: answer.reason for what, answer in answers.items()} == dict.fromkeys(
        codes, "NOT_FOUND"
    )
    assert len({answer.told for answer in answers.values()}) == 1
    assert head(world.server) == before


@pytest.mark.parametrize("method", NAMING)
def test_the_code_of_another_leads_to_the_other(
    samples: Samples, others: Samples, method: str
) -> None:
    """What Mair owns is not there for whoever comes with somebody else's code."""
    request = samples.make(method, "official")
    with untouched(samples.world.server):
        answer = samples.world.official.call(method, by_official(others.citizen, request))

    assert (answer.reason, answer.fields) == ("NOT_FOUND", [])


def test_every_way_of_naming_is_tried() -> None:
    assert len(NAMING) >= 15


SPOKEN: Final[dict[str, Callable[[str], str]]] = {
    "small": str.lower,
    "in one": lambda code: code.replace("-", ""),
    "letter by letter": lambda code: " ".join(code.replace("0", "O").replace("1", "l")),
}


@pytest.mark.parametrize("how", SPOKEN)
def test_a_code_is_read_as_it_is_spoken(samples: Samples, how: str) -> None:
    code = SPOKEN[how](samples.citizen.assistance_code)
    acting = assisted(samples.citizen, assistance_code=code)
    request = vaults.GetVaultRequest(acting=acting)

    answer = samples.world.official.ask("VaultService/GetVault", request)

    assert answer.vault.vault_id == samples.citizen.vault_id


DECISIONS: Final = [
    method for method in ASSISTED if "approval" in METHODS[method].input_type.fields_by_name
]
STOPS: Final = frozenset(
    f"ConsentService/{name}"
    for name in ("RefuseConsent", "NarrowConsent", "PauseConsent", "RevokeConsent")
)


@pytest.mark.parametrize("method", ASSISTED)
def test_everything_that_is_done_for_her_says_by_whom(samples: Samples, method: str) -> None:
    """And what an official is shown of hers is recorded, too."""
    citizen, request = samples.citizen, samples.make(method, "official")
    before = version_of(citizen)

    answer = samples.world.official.call(method, request)
    lines = [line for line in history_of(citizen) if line.version > before]

    assert answer.is_ok, answer.told
    assert lines or method == "VaultService/GetVault"
    for line in lines:
        assert line.acting.capacity == pb.CAPACITY_OFFICIAL
        assert line.acting.channel == pb.CHANNEL_COUNTER
        assert line.acting.mandate_id in {way.sign_in_id for way in ways_of(citizen)}
        assert line.staff_ref == "official"
    if method in DECISIONS:
        assert lines[0].approval_kind == pb.APPROVAL_KIND_STAFF_ASSISTED


def test_a_narrowing_that_is_only_looked_at_is_a_look(samples: Samples) -> None:
    request = samples.make("ConsentService/NarrowConsent", "official")
    request.validate_only = True

    answer = samples.world.official.ask("ConsentService/NarrowConsent", request)

    assert answer.difference.removed
    assert history_of(samples.citizen)[0].type == "vault-read.1"


@pytest.mark.parametrize("method", DECISIONS)
def test_only_a_stop_needs_no_agreement(samples: Samples, method: str) -> None:
    request = samples.make(method, "official")
    request.ClearField("approval")

    answer = samples.world.official.call(method, request)

    if method in STOPS:
        assert answer.is_ok, answer.told
    else:
        assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["approval.kind"])


COUNTER, PHONE, LETTER = pb.CHANNEL_COUNTER, pb.CHANNEL_PHONE, pb.CHANNEL_LETTER
AGREEMENTS: Final[dict[str, tuple[pb.Channel.ValueType, pb.Approval, str]]] = {
    "at a counter": (COUNTER, pb.Approval(kind=pb.APPROVAL_KIND_STAFF_ASSISTED), ""),
    "on the phone": (PHONE, pb.Approval(kind=pb.APPROVAL_KIND_STAFF_ASSISTED), ""),
    "by letter": (LETTER, pb.Approval(kind=pb.APPROVAL_KIND_PAPER, proof=b"letter 7"), ""),
    "by no letter": (LETTER, pb.Approval(kind=pb.APPROVAL_KIND_PAPER), "approval.proof"),
    "by letter, said to be spoken": (
        LETTER,
        pb.Approval(kind=pb.APPROVAL_KIND_STAFF_ASSISTED),
        "approval.kind",
    ),
    "on the phone, said to be signed": (
        PHONE,
        pb.Approval(kind=pb.APPROVAL_KIND_PAPER, proof=b"letter 7"),
        "approval.kind",
    ),
    "by her sign-in": (COUNTER, pb.Approval(kind=pb.APPROVAL_KIND_SESSION), "approval.kind"),
    "by her key": (
        COUNTER,
        pb.Approval(kind=pb.APPROVAL_KIND_WEBAUTHN, proof=b"signed"),
        "approval.kind",
    ),
}


@pytest.mark.parametrize("what", AGREEMENTS)
def test_how_she_agreed_fits_how_she_came(samples: Samples, what: str) -> None:
    channel, approval, field = AGREEMENTS[what]
    request = samples.make("ConsentService/GrantConsent", "official")
    request.acting.channel = channel
    request.approval.CopyFrom(approval)

    answer = samples.world.official.call("ConsentService/GrantConsent", request)

    assert answer.fields == ([field] if field else [])
    assert answer.is_ok == (not field)


@pytest.mark.parametrize("method", [OPEN, *ASSISTED])
def test_an_official_says_in_which_capacity_and_by_which_channel(
    samples: Samples, method: str
) -> None:
    request = samples.make(method, "official")
    wrong = {
        "capacity": (pb.CAPACITY_UNSPECIFIED, pb.CAPACITY_SELF, pb.CAPACITY_ATTORNEY),
        "channel": (pb.CHANNEL_UNSPECIFIED, pb.CHANNEL_WEB, pb.CHANNEL_API),
    }

    with untouched(samples.world.server):
        for name, values in wrong.items():
            for value in values:
                changed = copy.deepcopy(request)
                setattr(acting_of(changed), name, value)
                answer = samples.world.official.call(method, changed)

                assert answer.reason == "FIELD_INVALID"
                assert answer.fields == [ACTING[method].path.replace("assistance_code", name)]
                must_be_told(answer)


@pytest.mark.parametrize("method", ASSISTED)
def test_a_citizen_has_no_use_for_a_code(samples: Samples, others: Samples, method: str) -> None:
    """Neither for somebody else's nor for her own."""
    for citizen in (samples.citizen, others.citizen):
        request = ACTING[method].put(samples.make(method, "citizen"), citizen.assistance_code)

        answer = samples.citizen.caller.call(method, request)

        assert (answer.reason, answer.fields) == ("NOT_FOUND", [])


# --- Short codes ---------------------------------------------------------------------------------


def claim(samples: Samples, short_code: str, role: str = "official") -> Answer:
    request = consent.ClaimRequestRequest(request_id=new_id(), short_code=short_code)
    if role == "official":
        by_official(samples.citizen, request)
    return samples.caller(role).call("ConsentService/ClaimRequest", request)


def test_a_short_code_is_an_officials(samples: Samples) -> None:
    code = samples.ask(with_short_code=True).short_code

    hers = claim(samples, code, "citizen")
    unknown = claim(samples, "0000-0000", "citizen")
    officials = claim(samples, code.lower().replace("-", " "))

    assert hers.reason == "NOT_FOUND"
    assert hers.told == unknown.told
    assert officials.is_ok


def test_an_unknown_short_code_is_told_like_a_code_of_another_kind(samples: Samples) -> None:
    answers = [
        claim(samples, code)
        for code in ("0000-0000", samples.citizen.assistance_code, "-", "\u0660" * 8)
    ]

    assert {answer.reason for answer in answers} == {"NOT_FOUND"}
    assert len({answer.told for answer in answers}) == 1


def test_a_short_code_brings_no_code_for_a_browser(samples: Samples) -> None:
    answer = claim(samples, samples.ask(with_short_code=True).short_code).read()

    assert (answer.code, answer.return_uri) == ("", "")


def test_what_was_claimed_by_code_for_one_is_not_anothers(
    samples: Samples, others: Samples
) -> None:
    code = samples.ask(with_short_code=True).short_code
    assert claim(samples, code).is_ok

    assert claim(others, code).reason == "REQUEST_ALREADY_CLAIMED"


def test_an_official_opens_one_vault_for_each_request_id(samples: Samples) -> None:
    request = samples.make(OPEN, "official")

    first, again = (samples.world.official.ask(OPEN, request) for _ in range(2))
    other = samples.world.official.ask(OPEN, samples.make(OPEN, "official"))
    somebody = Citizen("", samples.world.official, "", assistance_code=first.assistance_code)
    seen = samples.world.official.ask(
        "VaultService/GetVault", vaults.GetVaultRequest(acting=assisted(somebody))
    )

    assert first.assistance_code == again.assistance_code != other.assistance_code
    assert first.vault.vault_id == again.vault.vault_id == seen.vault.vault_id
    assert first.vault.vault_id != other.vault.vault_id


def test_another_official_does_not_learn_the_code_by_a_request_id(samples: Samples) -> None:
    request = samples.make(OPEN, "official")
    first = samples.world.official.ask(OPEN, request)

    other = samples.world.caller("official", "another official").ask(OPEN, request)

    assert other.assistance_code != first.assistance_code
    assert other.vault.vault_id != first.vault.vault_id


def test_the_code_is_shown_to_nobody_again(samples: Samples) -> None:
    """Neither in history nor to an auditor."""
    code = samples.citizen.assistance_code
    seen = b"".join(
        data
        for method, role in KEYS
        if role in {"citizen", "official", "auditor"} and "request_id" not in fields_of(method)
        for data in samples.caller(role).call(method, samples.make(method, role)).answers
    )

    assert code.encode() not in seen
    assert code.replace("-", "").encode() not in seen


def fields_of(method: str) -> set[str]:
    return {place.steps[-1] for place in places(METHODS[method].input_type)}


def version_of(citizen: Citizen) -> int:
    request = vaults.GetVaultRequest()
    version: int = citizen.caller.ask("VaultService/GetVault", request).vault.version
    return version


def ways_of(citizen: Citizen) -> list[Any]:
    request = vaults.GetVaultRequest()
    return list(citizen.caller.ask("VaultService/GetVault", request).vault.sign_ins)


def history_of(citizen: Citizen) -> list[Any]:
    request = vaults.ListHistoryRequest(page_size=10)
    return list(citizen.caller.ask("VaultService/ListHistory", request).entries)


def test_the_code_stands_where_it_is_looked_for() -> None:
    assert isinstance(ACTING["EvidenceService/UploadDocument"], Place)
    assert {place.path for place in ACTING.values()} == {
        "acting.assistance_code",
        "header.acting.assistance_code",
    }
