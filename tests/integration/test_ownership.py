# SPDX-License-Identifier: Apache-2.0
"""Whose is it? What is not the caller's looks exactly like what does not exist.

Every field of every request that takes an id is found by walking the descriptors, and is given
every id that is somebody else's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.samples import KEYS, Samples
from tests.wire import METHODS, REQUEST_IDS, Answer, Place, message_of, places
from tests.world import (
    Citizen,
    Service,
    Shared,
    World,
    checking,
    disclosing,
    disclosing_document,
    new_id,
    redeeming,
)
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import vault_pb2
from vault.api.v1 import vault_service_pb2 as vaults

STAFFED: Final = {"service", "staff"}
NIAS: Final = "another citizen's at the same service"
HER_CONSENT: Final = "the same citizen's consent elsewhere"
HER_REQUEST: Final = "the same citizen's request elsewhere"
HERS: Final = {("consent_id", HER_CONSENT), ("consent_request_id", HER_REQUEST)}


@pytest.fixture(scope="module")
def nia(world: World) -> Citizen:
    return world.citizen()


@pytest.fixture(scope="module")
def passkey(others: Samples) -> str:
    """The passkey of another citizen."""
    request = others.make("VaultService/AddPasskey", "citizen")
    added = others.citizen.caller.ask("VaultService/AddPasskey", request)
    return str(added.passkey.passkey_id)


@pytest.fixture(scope="module")
def foreign(
    world: World, samples: Samples, others: Samples, nia: Citizen, passkey: str
) -> dict[str, str]:
    """Ids that are not Mair's, nor what the council knows her by, by what they name."""
    nias = world.share(nia, samples.service)
    mairs_elsewhere = world.share(samples.citizen, others.service)
    dispute = others.make("EvidenceService/ResolveDispute", "citizen")
    way = others.make("VaultService/UnlinkSignIn", "citizen")
    return {
        **ids_of("another citizen's", others.shared),
        **ids_of(NIAS, nias),
        "another citizen's document": others.document,
        "another citizen's disputed evidence": dispute.evidence_id,
        "another citizen's dispute": dispute.dispute_id,
        "another citizen's sign-in": way.sign_in_id,
        "another citizen's passkey": passkey,
        "the same citizen's subject elsewhere": mairs_elsewhere.subject_id,
        HER_CONSENT: mairs_elsewhere.consent_id,
        HER_REQUEST: mairs_elsewhere.asked.consent_request_id,
        "another service's open request": world.ask(others.service).consent_request_id,
        "the registry's stream": world.replay_registry()[0].stream_id,
    }


@pytest.fixture(scope="module")
def settled(samples: Samples, foreign: dict[str, str]) -> str:
    """A place in history after all of that: lists that follow events wait for it."""
    assert foreign
    request = samples.make("VaultService/GetVault", "citizen")
    token: str = samples.citizen.caller.ask("VaultService/GetVault", request).position_token
    return token


@pytest.fixture
def elsewhere(foreign: dict[str, str], settled: str) -> tuple[dict[str, str], str]:
    return foreign, settled


def ids_of(whose: str, shared: Shared) -> dict[str, str]:
    return {
        f"{whose} vault": shared.citizen.vault_id,
        f"{whose} evidence": shared.citizen.evidence["postal_address"],
        f"{whose} request": shared.asked.consent_request_id,
        f"{whose} consent": shared.consent_id,
        f"{whose} subject": shared.subject_id,
        f"{whose} service": shared.service.service_id,
        f"{whose} organisation": shared.service.organisation_id,
    }


def id_places() -> list[tuple[str, str, Place]]:
    """Find every field of every request that takes an id of something."""
    return [
        (method, role, place)
        for method, role in KEYS
        for place in places(METHODS[method].input_type)
        if place.field.name.endswith(("_id", "_ids")) and place.field.name != "request_id"
        # What is brought from another deployment names nothing of this one.
        if method != "VaultService/ImportVault" or "acting" in place.steps
    ]


def may_name(role: str, place: Place, what: str) -> bool:
    """Say whether an id is the role's to name there.

    The registry is the operator's, every vault the auditor's to look at, what she shares with
    whomever hers, whoever helps her; a service's own requests and subjects its own.
    """
    return (
        (role in {"citizen", "official"} and (place.field.name, what) in HERS)
        or (role == "operator" and what.endswith(("service", "organisation")))
        or (role == "auditor" and what.endswith("vault") and place.path == "vault_id")
        or (role == "auditor" and what == HER_CONSENT and place.path == "consent_id")
        or (role == "staff" and what == f"{NIAS} service" and "service_ids" in place.path)
        or (role in STAFFED and what == f"{NIAS} request" and place.path == "consent_request_id")
    )


def is_ignored(role: str, place: Place) -> bool:
    """Say whether a field means nothing when this role sends it: then no id in it is looked at."""
    return (role not in STAFFED and place.path == "subject_id") or (
        role in STAFFED and place.path.startswith("acting.")
    )


def test_ids_are_found_in_nested_fields_too() -> None:
    found = {place.path for _, _, place in id_places()}

    assert found >= {
        "acting.vault_id",
        "acting.mandate_id",
        "authority.consent_id",
        "bounds.service_ids[0]",
        "checks[0].authority.consent_id",
        "checks[0].subject_id",
        "choice.items[0].evidence_id",
        "header.acting.vault_id",
        "header.evidence_id",
    }


@pytest.mark.parametrize(
    ("method", "role", "place"),
    id_places(),
    ids=lambda value: value.path if isinstance(value, Place) else value,
)
def test_somebody_elses_id_is_answered_like_an_absent_one(
    samples: Samples,
    elsewhere: tuple[dict[str, str], str],
    method: str,
    role: str,
    place: Place,
) -> None:
    foreign, settled = elsewhere
    request = samples.make(method, role)
    if (method, place.path) == ("ConsentService/RequestConsent", "subject_id"):
        # Asking whom one knows takes the place of the link.
        request.code_challenge = ""
    if is_ignored(role, place):
        request.position_token = settled
    caller = samples.caller(role)

    def answer(named: str) -> Answer:
        changed = place.put(copy.deepcopy(request), named)
        if method in REQUEST_IDS:
            REQUEST_IDS[method].put(changed, new_id())
        return caller.call(method, changed)

    absent = answer(new_id())
    differing = {
        what: answered.told
        for what, named in foreign.items()
        if not may_name(role, place, what) and not is_own_subject(method, place, what)
        if "acting" not in place.steps or what.endswith(("vault", "sign-in", "consent"))
        if ((answered := answer(named)).told, answered.answers) != (absent.told, absent.answers)
    }
    assert not differing, absent.told
    assert absent.is_ok if is_ignored(role, place) else absent.reason == "NOT_FOUND"


def is_own_subject(method: str, place: Place, what: str) -> bool:
    """Say whether it is somebody whom the service knows, and may ask."""
    return (method, place.path, what) == (
        "ConsentService/RequestConsent",
        "subject_id",
        f"{NIAS} subject",
    )


Take = Callable[[Samples], Any]

OTHERS: Final[dict[str, tuple[str, Take, Take]]] = {
    "another service's request": (
        "ConsentService/GetRequest",
        lambda s: consent.GetRequestRequest(consent_request_id=s.shared.asked.consent_request_id),
        lambda _: consent.GetRequestRequest(consent_request_id=new_id()),
    ),
    "a request to take back that is another service's": (
        "ConsentService/CancelRequest",
        lambda s: s.make("ConsentService/CancelRequest", "service"),
        lambda _: consent.CancelRequestRequest(request_id=new_id(), consent_request_id=new_id()),
    ),
    "another service's consent": (
        "ConsentService/GetConsent",
        lambda s: consent.GetConsentRequest(
            consent_id=s.shared.consent_id, subject_id=s.shared.subject_id
        ),
        lambda _: consent.GetConsentRequest(consent_id=new_id(), subject_id=new_id()),
    ),
    "another service's code": (
        "ConsentService/RedeemCode",
        lambda s: redeeming(s.shared.asked, s.shared.code),
        lambda s: consent.RedeemCodeRequest(
            request_id=new_id(),
            consent_request_id=new_id(),
            code=s.shared.code,
            code_verifier=s.shared.asked.verifier,
        ),
    ),
    "evidence that another service may fetch": (
        "DisclosureService/DiscloseEvidence",
        lambda s: disclosing(s.shared),
        lambda s: disclosing(s.shared, subject_id=new_id(), authority={"consent_id": new_id()}),
    ),
    "a document that another service may fetch": (
        "DisclosureService/DiscloseDocument",
        lambda s: disclosing_document(s.letter),
        lambda s: disclosing_document(
            s.letter, subject_id=new_id(), authority={"consent_id": new_id()}
        ),
    ),
    "whether another service may fetch": (
        "DisclosureService/CheckDisclosures",
        lambda s: checking(s.shared),
        lambda s: checking(s.shared, subject_id=new_id(), authority={"consent_id": new_id()}),
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_service_does_not_see(samples: Samples, others: Samples, what: str) -> None:
    method, make_foreign, make_absent = OTHERS[what]

    foreign_answer = samples.service.caller.call(method, make_foreign(others))
    absent_answer = samples.service.caller.call(method, make_absent(others))

    assert absent_answer.reason == "NOT_FOUND"
    assert foreign_answer.told == absent_answer.told


def test_one_foreign_check_hides_all(samples: Samples, others: Samples) -> None:
    """Which of a hundred it was is not told either."""
    request = checking(samples.shared)
    request.checks.append(checking(others.shared).checks[0])

    answer = samples.service.caller.call("DisclosureService/CheckDisclosures", request)

    assert (answer.reason, answer.fields) == ("NOT_FOUND", [])


LISTS: Final = [(method, role) for method, role in KEYS if "/List" in method]
OWN_LISTS: Final = [
    (method, role)
    for method, role in LISTS
    if role in {"citizen", "service"}
    and not method.startswith(("RegistryService/", "OperationsService/"))
]


@pytest.mark.parametrize(("method", "role"), OWN_LISTS)
def test_a_list_holds_nothing_of_another(
    others: Samples, nia: Citizen, settled: str, *, passkey: str, method: str, role: str
) -> None:
    shared = others.shared
    ids = [named.encode() for named in (passkey, *ids_of("", shared).values())]
    request = message_of(method)
    request.position_token = settled
    stranger = nia.caller if role == "citizen" else others.world.service().caller

    hers = others.caller(role).call(method, request)
    nobodys = stranger.call(method, request)

    held = [named for named in ids if named in b"".join(hers.answers)]
    assert held
    assert nobodys.is_ok
    assert not [named for named in held if named in b"".join(nobodys.answers)]


def test_a_request_id_of_another_is_no_ones(samples: Samples, others: Samples) -> None:
    """A retry finds its answer by caller and id: another caller's id finds nothing."""
    first = others.make("EvidenceService/ProvideEvidence", "citizen")
    hers = others.citizen.caller.ask("EvidenceService/ProvideEvidence", first)

    mine = samples.citizen.caller.ask("EvidenceService/ProvideEvidence", first)

    assert mine.evidence.evidence_id != hers.evidence.evidence_id
    assert mine.receipt.leaf_index > hers.receipt.leaf_index


def test_a_link_with_a_guessed_secret_is_no_link(samples: Samples, others: Samples) -> None:
    secret = others.shared.asked.handoff_token.partition(".")[2][::-1]

    def claim(request: str) -> Answer:
        return samples.citizen.caller.call(
            "ConsentService/ClaimRequest",
            consent.ClaimRequestRequest(request_id=new_id(), handoff_token=f"{request}.{secret}"),
        )

    guessed = claim(others.shared.asked.consent_request_id)

    assert guessed.reason == "NOT_FOUND"
    assert guessed.told == claim(new_id()).told


def test_who_she_is_to_two_services_has_nothing_in_common(
    world: World, samples: Samples, others: Samples
) -> None:
    samples.world.upload(samples.citizen)
    seen: list[bytes] = []
    for service in (samples.service, others.service):
        here = world.share(samples.citizen, service)
        letter = world.share_document(samples.citizen, service)
        asked = consent.GetConsentRequest(consent_id=here.consent_id, subject_id=here.subject_id)
        seen += service.caller.call("ConsentService/GetConsent", asked).answers
        seen += world.disclose(here).answers
        document = disclosing_document(letter)
        seen += service.caller.call("DisclosureService/DiscloseDocument", document).answers
        seen.append(here.subject_id.encode())

    half = len(seen) // 2
    assert seen[half - 1] != seen[-1]
    assert seen[half - 1] not in b"".join(seen[half:])
    for named in (samples.citizen.vault_id, *samples.citizen.evidence.values()):
        assert named.encode() not in b"".join(seen)


@pytest.mark.parametrize("capacity", list(vault_pb2.Capacity.values())[2:])
def test_nobody_acts_in_a_capacity_by_saying_so(samples: Samples, capacity: Any) -> None:
    """Not even in her own vault: whoever acts for her needs a way of his own."""
    request = samples.make("EvidenceService/ListEvidence", "citizen")
    request.acting.vault_id = samples.citizen.vault_id
    request.acting.capacity = capacity

    answer = samples.citizen.caller.call("EvidenceService/ListEvidence", request)

    assert answer.reason == "NOT_FOUND"


def test_a_service_that_nobody_registered_may_not_ask(world: World, samples: Samples) -> None:
    unknown = Service(
        new_id(), new_id(), samples.service.purpose_code, world.caller("service", new_id())
    )

    answer = unknown.caller.call(
        "ConsentService/RequestConsent", samples.make("ConsentService/RequestConsent", "service")
    )

    assert answer.reason == "NOT_FOUND"


def test_a_dispute_of_another_piece_is_not_there(samples: Samples) -> None:
    """Both are hers, but they do not belong together."""
    one, other = (samples.make("EvidenceService/ResolveDispute", "citizen") for _ in range(2))
    one.dispute_id = other.dispute_id

    answer = samples.citizen.caller.call("EvidenceService/ResolveDispute", one)

    assert answer.reason == "NOT_FOUND"


def test_a_piece_that_is_no_document_cannot_be_downloaded(samples: Samples) -> None:
    answers = [
        samples.citizen.caller.call(
            "EvidenceService/DownloadDocument",
            evidence.DownloadDocumentRequest(evidence_id=named, revision=revision),
        )
        for named, revision in (
            (samples.citizen.evidence["income"], 0),
            (samples.document, 2),
            (new_id(), 0),
        )
    ]

    assert [answer.reason for answer in answers] == ["NOT_FOUND"] * 3
    assert len({answer.told for answer in answers}) == 1


def test_a_way_that_is_closed_is_closed_once(samples: Samples) -> None:
    first = samples.make("VaultService/UnlinkSignIn", "citizen")
    samples.citizen.caller.ask("VaultService/UnlinkSignIn", first)
    again = vaults.UnlinkSignInRequest(request_id=new_id(), sign_in_id=first.sign_in_id)

    answer = samples.citizen.caller.call("VaultService/UnlinkSignIn", again)

    assert answer.reason == "NOT_FOUND"
