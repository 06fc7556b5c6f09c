# SPDX-License-Identifier: Apache-2.0
"""Who may call what, over the wire: every role and credential against every RPC and its owner.

The cells stand here once more, apart from the server's own table: a new RPC, or a changed row, is
decided in two places. What is not the caller's looks exactly like what does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.issuer import SCOPES, Issuer
from tests.samples import KEYS, ROLES, Samples
from tests.wire import METHODS, Answer, Caller, Place, message_of, places
from tests.world import Citizen, Service, Shared, World, disclosing, new_id, redeeming
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import vault_pb2

CELLS: Final[dict[str, tuple[str, str]]] = {
    "VaultService/OpenVault": ("citizen", "vault"),
    "VaultService/GetVault": ("citizen", "vault"),
    "VaultService/ListHistory": ("citizen", "vault"),
    "EvidenceService/ProvideEvidence": ("citizen", "evidence"),
    "EvidenceService/ReplaceEvidence": ("citizen", "evidence"),
    "EvidenceService/GetEvidence": ("citizen", "evidence"),
    "EvidenceService/ListEvidence": ("citizen", "evidence"),
    "ConsentService/RequestConsent": ("service", "consent"),
    "ConsentService/ClaimRequest": ("citizen", "consent"),
    "ConsentService/RedeemCode": ("service", "consent"),
    "ConsentService/GetRequest": ("citizen service", "consent"),
    "ConsentService/ListRequests": ("citizen", "consent"),
    "ConsentService/PreviewConsent": ("citizen", "consent"),
    "ConsentService/GrantConsent": ("citizen", "consent"),
    "ConsentService/RevokeConsent": ("citizen", "consent"),
    "ConsentService/GetConsent": ("citizen service", "consent"),
    "ConsentService/ListConsents": ("citizen", "consent"),
    "DisclosureService/DiscloseEvidence": ("service", "disclosure"),
    "AuditService/ReplayVault": ("auditor", "audit"),
    "AuditService/ReplayRegistry": ("auditor", "audit"),
    "AuditService/GetVaultState": ("auditor", "audit"),
    "RegistryService/RegisterOrganisation": ("operator", "registry"),
    "RegistryService/RegisterService": ("operator", "registry"),
    "RegistryService/SuspendService": ("operator", "registry"),
    "RegistryService/ReinstateService": ("operator", "registry"),
    "RegistryService/PublishPurpose": ("operator", "registry"),
    "RegistryService/WithdrawPurpose": ("operator", "registry"),
    "RegistryService/PublishEvidenceType": ("operator", "registry"),
    "RegistryService/ListOrganisations": ("citizen service auditor operator", "registry"),
    "RegistryService/ListServices": ("citizen service auditor operator", "registry"),
    "RegistryService/ListPurposes": ("citizen service auditor operator", "registry"),
    "RegistryService/GetPurpose": ("citizen service auditor operator", "registry"),
    "RegistryService/ListEvidenceTypes": ("citizen service auditor operator", "registry"),
    "RegistryService/ListReceiptKeys": ("citizen service auditor operator", "registry"),
}
"""Which roles may call, and with which scope."""

CREDENTIALS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "expired": ({"exp": 1_700_000_000}, "CREDENTIAL_EXPIRED"),
    "without an end": ({"exp": None}, "CREDENTIAL_INVALID"),
    "not yet": ({"nbf": 4_000_000_000}, "CREDENTIAL_INVALID"),
    "for another audience": ({"aud": "another-server"}, "CREDENTIAL_INVALID"),
    "of another issuer": ({"iss": "https://elsewhere.example"}, "CREDENTIAL_INVALID"),
    "of an unknown role": ({"roles": ["root"]}, "CREDENTIAL_INVALID"),
    "of two roles": ({"roles": ["citizen", "operator"]}, "CREDENTIAL_INVALID"),
    "of no role": ({"roles": []}, "CREDENTIAL_INVALID"),
    "of nobody": ({"sub": ""}, "CREDENTIAL_INVALID"),
}


def role_of(method: str) -> str:
    """Return a role that may call a method."""
    return CELLS[method][0].split()[0]


def allowed() -> list[tuple[str, str]]:
    return [(method, role) for method in METHODS for role in CELLS[method][0].split()]


def denied() -> list[tuple[str, str]]:
    return [
        (method, role)
        for method in METHODS
        for role in ROLES
        if role not in CELLS[method][0].split()
    ]


def test_every_rpc_has_its_cells() -> None:
    assert CELLS.keys() == METHODS.keys()


def test_every_cell_that_allows_has_a_sample() -> None:
    assert set(KEYS) == set(allowed())


@pytest.mark.parametrize(("method", "role"), allowed())
def test_a_role_may_call_what_is_its_own(samples: Samples, method: str, role: str) -> None:
    answer = samples.caller(role).call(method, samples.make(method, role))

    assert answer.is_ok, answer.told


@pytest.mark.parametrize(("method", "role"), denied())
def test_a_role_may_not_call_what_is_others(samples: Samples, method: str, role: str) -> None:
    request = samples.make(method, role_of(method))

    answer = samples.caller(role).call(method, request)

    assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")


@pytest.mark.parametrize(("method", "role"), allowed())
def test_a_token_without_the_scope_is_not_enough(samples: Samples, method: str, role: str) -> None:
    subject = {"citizen": samples.citizen.sub, "service": samples.service.service_id}
    scopes = set(SCOPES[role].split()) - {CELLS[method][1]}
    caller = samples.world.caller(role, subject.get(role, role), scope=" ".join(scopes))

    answer = caller.call(method, samples.make(method, role))

    assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")


@pytest.mark.parametrize("method", METHODS)
def test_nobody_in_particular_may_call_nothing(samples: Samples, method: str) -> None:
    caller = Caller(samples.world.channel, "")

    answer = caller.call(method, samples.make(method, role_of(method)))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "CREDENTIAL_MISSING")


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("method", METHODS)
def test_a_bad_credential_opens_nothing(samples: Samples, method: str, credential: str) -> None:
    claims, reason = CREDENTIALS[credential]
    role = role_of(method)
    caller = samples.world.caller(role, "somebody", **claims)

    answer = caller.call(method, samples.make(method, role))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", reason)


@pytest.mark.parametrize("method", METHODS)
def test_a_token_signed_by_somebody_else_opens_nothing(samples: Samples, method: str) -> None:
    role = role_of(method)
    caller = Caller(samples.world.channel, Issuer().token(role, "somebody"))

    answer = caller.call(method, samples.make(method, role))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "CREDENTIAL_INVALID")


# --- Ownership -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nia(world: World) -> Citizen:
    return world.citizen()


@pytest.fixture(scope="module")
def foreign(world: World, samples: Samples, others: Samples, nia: Citizen) -> dict[str, str]:
    """Ids that are not Mair's, nor what the council knows her by, by what they name."""
    nias = world.share(nia, samples.service)
    mairs_elsewhere = world.share(samples.citizen, others.service)
    return {
        **ids_of("another citizen's", others.shared),
        **ids_of("another citizen's at the same service", nias),
        "the same citizen's subject elsewhere": mairs_elsewhere.subject_id,
        HER_CONSENT: mairs_elsewhere.consent_id,
        HER_REQUEST: mairs_elsewhere.asked.consent_request_id,
        "another service's open request": world.ask(others.service).consent_request_id,
        "the registry's stream": world.replay_registry()[0].stream_id,
    }


OWN_REQUEST: Final = "another citizen's at the same service request"
HER_CONSENT: Final = "the same citizen's consent elsewhere"
HER_REQUEST: Final = "the same citizen's request elsewhere"


HERS: Final = {("consent_id", HER_CONSENT), ("consent_request_id", HER_REQUEST)}


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
    ]


def may_name(role: str, place: Place, what: str) -> bool:
    """Say whether an id is the role's to name there.

    The registry is the operator's, every vault the auditor's to look at, what she shares with
    whomever hers, a service's own requests its own, whoever claimed them.
    """
    return (
        (role == "citizen" and (place.field.name, what) in HERS)
        or (role == "operator" and what.endswith(("service", "organisation")))
        or (role == "auditor" and what.endswith("vault") and place.path == "vault_id")
        or (role == "service" and what == OWN_REQUEST and place.path == "consent_request_id")
    )


def is_ignored(role: str, place: Place) -> bool:
    """Say whether a field means nothing when this role sends it: then no id in it is looked at."""
    return (role, place.path) == ("citizen", "subject_id") or (
        role == "service" and place.path.startswith("acting.")
    )


def test_ids_are_found_in_nested_fields_too() -> None:
    found = {place.path for _, _, place in id_places()}

    assert found >= {
        "acting.vault_id",
        "acting.mandate_id",
        "authority.consent_id",
        "bounds.service_ids[0]",
        "choice.items[0].evidence_id",
    }


@pytest.mark.parametrize(
    ("method", "role", "place"),
    id_places(),
    ids=lambda value: value.path if isinstance(value, Place) else value,
)
def test_somebody_elses_id_is_answered_like_an_absent_one(
    samples: Samples, foreign: dict[str, str], method: str, role: str, place: Place
) -> None:
    request = samples.make(method, role)
    caller = samples.caller(role)

    def answer(named: str) -> Answer:
        changed = type(request)()
        changed.CopyFrom(request)
        place.put(changed, named)
        if "request_id" in changed.DESCRIPTOR.fields_by_name:
            changed.request_id = new_id()
        return caller.call(method, changed)

    absent = answer(new_id())
    differing = {
        what: answered.told
        for what, named in foreign.items()
        if not may_name(role, place, what)
        and ((answered := answer(named)).told, answered.answers) != (absent.told, absent.answers)
    }
    assert not differing, absent.told
    assert absent.is_ok if is_ignored(role, place) else absent.reason == "NOT_FOUND"


Take = Callable[[Samples], Any]

OTHERS: Final[dict[str, tuple[str, Take, Take]]] = {
    "another service's request": (
        "ConsentService/GetRequest",
        lambda s: consent.GetRequestRequest(consent_request_id=s.shared.asked.consent_request_id),
        lambda _: consent.GetRequestRequest(consent_request_id=new_id()),
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
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_service_does_not_see(samples: Samples, others: Samples, what: str) -> None:
    method, make_foreign, make_absent = OTHERS[what]

    foreign_answer = samples.service.caller.call(method, make_foreign(others))
    absent_answer = samples.service.caller.call(method, make_absent(others))

    assert absent_answer.reason == "NOT_FOUND"
    assert foreign_answer.told == absent_answer.told


@pytest.mark.parametrize(
    "method", [m for m in METHODS if "/List" in m and CELLS[m][0] == "citizen"]
)
def test_a_citizens_list_holds_nothing_of_another(
    others: Samples, nia: Citizen, method: str
) -> None:
    hers = others.caller("citizen").call(method, message_of(method))
    nias = nia.caller.call(method, message_of(method))

    ids = [named.encode() for named in ids_of("", others.shared).values()]
    held = [named for named in ids if named in b"".join(hers.answers)]
    assert held
    assert not [named for named in held if named in b"".join(nias.answers)]


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
    here = world.share(samples.citizen, samples.service)
    there = world.share(samples.citizen, others.service)
    seen = [
        b"".join(
            shared.service.caller.call(method, request).answers[0]
            for method, request in (
                (
                    "ConsentService/GetConsent",
                    consent.GetConsentRequest(
                        consent_id=shared.consent_id, subject_id=shared.subject_id
                    ),
                ),
                ("DisclosureService/DiscloseEvidence", disclosing(shared)),
            )
        )
        for shared in (here, there)
    ]

    assert here.subject_id != there.subject_id
    for named in (samples.citizen.vault_id, *samples.citizen.evidence.values()):
        assert named.encode() not in seen[0] + seen[1]


@pytest.mark.parametrize("capacity", list(vault_pb2.Capacity.values())[2:])
def test_nobody_acts_in_a_capacity_by_saying_so(samples: Samples, capacity: Any) -> None:
    """Not even in her own vault: whoever acts for her needs a mandate, which nobody has yet."""
    request = samples.make("EvidenceService/ListEvidence", "citizen")
    request.acting.vault_id = samples.citizen.vault_id
    request.acting.capacity = capacity

    answer = samples.citizen.caller.call("EvidenceService/ListEvidence", request)

    assert answer.reason == "NOT_FOUND"


def test_what_a_proxy_would_say_of_the_caller_is_not_believed(samples: Samples) -> None:
    metadata = (
        ("x-user-id", samples.citizen.sub),
        ("x-forwarded-user", samples.citizen.sub),
        ("x-forwarded-client-cert", "By=citizen"),
    )
    caller = Caller(samples.world.channel, "", metadata)

    answer = caller.call("VaultService/GetVault", samples.make("VaultService/GetVault", "citizen"))

    assert answer.reason == "CREDENTIAL_MISSING"


def test_a_service_that_nobody_registered_may_not_ask(world: World, samples: Samples) -> None:
    unknown = Service(
        new_id(), new_id(), samples.service.purpose_code, world.caller("service", new_id())
    )

    answer = unknown.caller.call(
        "ConsentService/RequestConsent", samples.make("ConsentService/RequestConsent", "service")
    )

    assert answer.reason == "NOT_FOUND"
