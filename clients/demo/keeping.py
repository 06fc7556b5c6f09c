# SPDX-License-Identifier: Apache-2.0
"""`run`: the same set-up, a server and its pages that stay until Ctrl-C; prints where they are.

A newcomer opens the pages, signs in as Mair, and finds that somebody is asking. Who would rather
type finds a shell file that signs everybody in, so that what is printed can be typed as it stands.
"""

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.connection import Connection, development_token
from clients.demo import beforehand, doors
from clients.demo.deployment import Deployment
from clients.demo.directory import Asker
from clients.demo.notifying import notifying
from clients.demo.pages import USUAL_PORT, Pages, free_port, serving
from clients.demo.people import CHECKER, MAIR, OFFICIAL, OPERATOR
from clients.demo.planning import setting_up as planning
from clients.demo.planning.site import opened as planning_page_opened
from clients.demo.registration import register
from clients.demo.screen import Screen
from clients.demo.server import Server, ServerError, running
from clients.demo.stage import Listener, Stage
from clients.demo.story import Story
from clients.demo.telling import enter

_SHELL_FILE: Final = "people.sh"
_LOOK_SECONDS: Final = 0.5
_ADDRESS: Final = "postal_address:streetName,postalCode"


@dataclass(frozen=True, slots=True)
class Files:
    """What lies beside the server: the file that signs everybody in, and what people are told."""

    shell_file: Path
    messages: Path


def keep(deployment: Deployment, screen: Screen, listener: Listener | None = None) -> None:
    """Set up the people and services, and keep server and pages running until interrupted.

    Raises:
        KeyboardInterrupt: on Ctrl-C, after both were stopped.
        ServerError: if one of them ends by itself.
    """
    folder = deployment.data.parent.resolve()
    deployment.data.mkdir(mode=0o700, exist_ok=True)
    port = free_port(USUAL_PORT)
    with (
        running(deployment, pages=f"http://localhost:{port}") as server,
        serving(deployment.data, port) as pages,
        notifying(deployment, pages.url) as messages,
    ):
        with Stage(server, listener) as stage:
            operator = stage.enter("operator", OPERATOR, "Operator")
            register(operator)
            story = enter(stage, screen, deployment)
            vault_id = beforehand.live(story)
            doors.offer(story)
            planning_team = planning.register(operator)
            planning.give(story.mair)
        shell_file = folder / _SHELL_FILE
        shell_file.write_text(sign_ins(story, folder), encoding="utf-8")
        with _planning_page(server, planning_team, pages) as planning_page:
            _invite(screen, story, pages, planning_page)
            _tell_how_to_type(screen, story, vault_id, server, Files(shell_file, messages))
            _wait(server, pages)


@contextmanager
def _planning_page(server: Server, team: Asker, pages: Pages) -> Iterator[str]:
    """Serve the page on which one applies for planning permission; yield its address."""

    def token() -> str:
        # A new one for each call: this runs for longer than any lasts.
        return development_token(server.issuer, "service", team.service_id)

    with (
        Connection(server.target, token) as council,
        planning_page_opened(council, pages.url) as url,
    ):
        yield url


def _invite(screen: Screen, story: Story, pages: Pages, planning_page: str) -> None:
    """Print, first and large, where to go and what to do there."""
    who = story.council_team.organisation
    screen.sign(
        f"Open  {pages.url}  in a browser",
        f"Sign in as Mair: {who} is asking to see something. Share what you like, see who "
        "looked, and stop it again.",
    )
    screen.say("Or begin where people begin, and type nothing that Mair gave before:")
    screen.blank()
    screen.facts([("Planning permission", f"{planning_page}, {who}'s own page")])
    screen.blank()


def _tell_how_to_type(
    screen: Screen, story: Story, vault_id: str, server: Server, files: Files
) -> None:
    """Print how to do the same, and the rest, by commands and calls."""
    screen.say(f"A server runs at {server.target}. Ctrl-C ends everything.")
    screen.blank()
    screen.facts(
        [
            ("The same as JSON", f"{server.url}, described at /openapi.json"),
            ("Access tokens", f"{server.issuer}, for everybody on this machine"),
        ]
    )
    screen.blank()
    screen.say("What Mair is told of it, each message a file:")
    screen.commands([f"ls {shlex.quote(str(files.messages))}"])
    screen.say("To type instead, sign everybody in, in another terminal:")
    screen.commands([f". {shlex.quote(str(files.shell_file))}"])
    for sentence, commands in walk(story, vault_id, server.url):
        screen.say(sentence)
        screen.commands(commands)


def _wait(server: Server, pages: Pages) -> None:
    """Wait until one of them ends by itself, which it should not.

    Raises:
        ServerError: when it does.
    """
    while server.process.poll() is None and pages.process.poll() is None:
        time.sleep(_LOOK_SECONDS)
    what = "The pages" if server.process.poll() is None else "The server"
    raise ServerError(f"{what} ended without being asked to.")


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
