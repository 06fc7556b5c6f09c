# SPDX-License-Identifier: Apache-2.0
"""`run`: the same set-up, and a server that stays until Ctrl-C; prints how to talk to it.

A shell file signs everybody in, so that the commands that are printed can be typed as they stand.
"""

import shlex
import sys
from pathlib import Path
from typing import Final

from clients.demo.deployment import Deployment
from clients.demo.giving import begin, fill_in, list_evidence
from clients.demo.people import CHECKER, MAIR, OFFICIAL, OPERATOR, forms
from clients.demo.registration import register
from clients.demo.screen import Screen
from clients.demo.server import ServerError, running
from clients.demo.stage import Listener, Stage
from clients.demo.story import Story
from clients.demo.telling import enter
from clients.demo.wording import counted

_SHELL_FILE: Final = "people.sh"
_ADDRESS: Final = "postal_address:streetName,postalCode"


def keep(deployment: Deployment, screen: Screen, listener: Listener | None = None) -> None:
    """Set up the people and services, and keep the server running until it is interrupted.

    Raises:
        KeyboardInterrupt: on Ctrl-C, after the server was stopped.
        ServerError: if the server ends by itself.
    """
    folder = deployment.data.parent.resolve()
    deployment.data.mkdir(mode=0o700, exist_ok=True)
    with running(deployment) as server:
        with Stage(server, listener) as stage:
            register(stage.enter("operator", OPERATOR, "Operator"))
            story = enter(stage, screen, deployment)
            vault_id = begin(story.mair)
            if not list_evidence(story.mair):
                fill_in(story.mair, forms(story.today))
            given = sum(len(piece.fields) for piece in list_evidence(story.mair).values())
        shell_file = folder / _SHELL_FILE
        shell_file.write_text(sign_ins(story, folder), encoding="utf-8")
        screen.say(f"A server runs at {server.target}. Mair has given {counted(given, 'answer')}.")
        screen.blank()
        screen.facts(
            [
                ("The same as JSON", f"{server.url}, described at /openapi.json"),
                ("Access tokens", f"{server.issuer}, for everybody on this machine"),
            ]
        )
        screen.blank()
        screen.say("Ctrl-C ends it. In another terminal, sign everybody in:")
        screen.commands([f". {shlex.quote(str(shell_file))}"])
        for sentence, commands in walk(story, vault_id, server.url):
            screen.say(sentence)
            screen.commands(commands)
        server.process.wait()
        raise ServerError("The server ended by itself.")


def sign_ins(story: Story, folder: Path) -> str:
    """Return a shell file that points `citizen-vault` at the server and signs everybody in."""
    settings = {
        "CITIZEN_VAULT_DATA": str(folder / "data"),
        # What is signed in here must not mix with what somebody is signed in to otherwise.
        "CITIZEN_VAULT_HOME": str(folder / "home"),
    }
    programs = shlex.quote(str(Path(sys.executable).parent))
    people = (
        ("brightcare", "service", story.brightcare_team.service_id),
        ("council", "service", story.council_team.service_id),
        ("jones", "official", OFFICIAL),
        ("checker", "auditor", CHECKER),
        ("operator", "operator", OPERATOR),
        # Who signs in last is who commands are for that name nobody.
        ("mair", "citizen", MAIR),
    )
    lines = [
        "# Signs in the people of the demo. Read it into a shell: . people.sh",
        f'export PATH={programs}:"$PATH"',
        *(f"export {name}={shlex.quote(value)}" for name, value in settings.items()),
        *(
            f"citizen-vault sign-in --as {name} --role {role} --id {shlex.quote(sub)}"
            for name, role, sub in people
        ),
    ]
    return "\n".join(lines) + "\n"


def walk(story: Story, vault_id: str, url: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what one can do next, in order: a sentence, and the commands for it."""
    asker = story.brightcare_team
    code = asker.purpose.purpose_code
    ask = f"citizen-vault service ask {code} --as brightcare --keep-days 30 --need {_ADDRESS}"
    list_all = f"{url}/vault.api.v1.EvidenceService/ListEvidence"
    return (
        (
            f"{asker.organisation} asks for her address:",
            (ask,),
        ),
        (
            "Mair opens the link, and shares it:",
            (
                "citizen-vault request open LINK",
                "citizen-vault share NUMBER --choose postal_address",
            ),
        ),
        (
            f"{asker.organisation} redeems the code that came back, and fetches:",
            (
                "citizen-vault service redeem REQUEST CODE --as brightcare",
                f"citizen-vault service fetch --as brightcare --request REQUEST {_ADDRESS}",
            ),
        ),
        (
            "Mair sees it, and stops them:",
            (
                "citizen-vault seen list",
                "citizen-vault sharing list",
                "citizen-vault sharing stop NUMBER",
            ),
        ),
        (
            "An official helps somebody without a sign-in, whose code is on the letter:",
            (
                "citizen-vault assist open --as jones --channel counter",
                f"{ask} --short-code",
                "citizen-vault assist request open SHORT_CODE --as jones --channel counter",
            ),
        ),
        (
            "The same for any program, with an access token of whomever you say:",
            (
                "TOKEN=$(citizen-vault sandbox credential --role citizen --as mair)",
                f"curl -sS --json '{{}}' -H \"authorization: Bearer $TOKEN\" {list_all}",
            ),
        ),
        (
            "The independent checker looks (in a new folder):",
            (
                f"citizen-vault audit replay --as checker --out vault.jsonl --vault {vault_id}",
                "citizen-vault audit replay --as checker --out registry.jsonl --registry",
                "citizen-vault-auditor history vault.jsonl --registry registry.jsonl",
            ),
        ),
    )
