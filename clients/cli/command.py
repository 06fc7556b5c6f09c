# SPDX-License-Identifier: Apache-2.0
"""How a function becomes a command: the options that every command has, and how it fails.

A command's function takes a `Session` first, then what is typed. It returns, or raises
`CommandError` or `CallError`; here they become a sentence on stderr and an exit code.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, get_type_hints

import typer

from clients.cli.errors import CommandError, ExitCode, exit_code_of, next_step_of
from clients.cli.output import Output
from clients.cli.session import Choices, Session
from clients.cli.words import Words
from clients.connection import CallError

if TYPE_CHECKING:
    from collections.abc import Callable

FOR_CITIZENS: Final = "For citizens"
_PANEL: Final = "With every command"

_SHARED: Final = {
    "shared_json": Annotated[
        bool,
        typer.Option("--json", help="Print the answer as JSON.", rich_help_panel=_PANEL),
    ],
    "shared_language": Annotated[
        str,
        typer.Option(
            "--language",
            metavar="en|cy",
            help="English or Welsh (Cymraeg).",
            rich_help_panel=_PANEL,
        ),
    ],
    "shared_sign_in": Annotated[
        str,
        typer.Option("--as", metavar="NAME", help="Who you are.", rich_help_panel=_PANEL),
    ],
    "shared_server": Annotated[
        str,
        typer.Option("--server", metavar="HOST:PORT", help="Which server.", rich_help_panel=_PANEL),
    ],
    "shared_explain": Annotated[
        bool,
        typer.Option("--explain", help="Tell of each call on stderr.", rich_help_panel=_PANEL),
    ],
}


def noun(help_text: str) -> typer.Typer:
    """Return a group of commands about one thing."""
    return typer.Typer(help=help_text, no_args_is_help=True, add_completion=False)


def command(
    group: typer.Typer, name: str, *, for_citizens: bool = False, panel: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command of a group.

    Args:
        for_citizens: its errors are told in citizens' words.
        panel: under which heading its group lists it.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        given = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in list(inspect.signature(function).parameters.values())[1:]
        ]
        shared = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=annotation,
                default=False if name in {"shared_json", "shared_explain"} else "",
            )
            for name, annotation in _SHARED.items()
        ]

        def run(**typed: Any) -> None:
            choices = Choices(
                is_json=typed.pop("shared_json"),
                language=typed.pop("shared_language"),
                sign_in=typed.pop("shared_sign_in"),
                server=typed.pop("shared_server"),
                is_explaining=typed.pop("shared_explain"),
            )
            _run(function, choices, typed, for_citizens=for_citizens)

        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in given
        ] + shared
        run.__name__ = function.__name__
        run.__doc__ = inspect.cleandoc(function.__doc__ or "")
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        # Typer reads a command's options from its signature.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        group.command(name, rich_help_panel=panel)(run)
        return function

    return register


def _run(
    function: Callable[..., None], choices: Choices, typed: dict[str, Any], *, for_citizens: bool
) -> None:
    session: Session | None = None
    try:
        session = Session(choices)
        function(session, **typed)
        if session.has_fallen_back and not choices.is_json:
            session.output.tell(session.words("only.english"))
    except CommandError as error:
        _fail(choices, error.message, error.next_step, error.exit_code, session)
    except CallError as error:
        _fail_call(choices, error, session, for_citizens=for_citizens)
    finally:
        if session is not None:
            session.close()


def _fail_call(
    choices: Choices, error: CallError, session: Session | None, *, for_citizens: bool
) -> NoReturn:
    exit_code = exit_code_of(error)
    if choices.is_json or session is None:
        fields = [{"field": field, "description": what} for field, what in error.fields]
        _fail_json(
            exit_code,
            code=error.code,
            reason=error.reason,
            message=error.message,
            fields=fields,
            call_id=error.call_id,
        )
    words = session.words
    if for_citizens:
        family = error.reason if words.maybe(f"error.{error.reason}") else error.code
        lines = [words.one_of("error", family)]
        step = words.maybe(f"step.{family}") or (
            words("not.signed.in.next") if family == "UNAUTHENTICATED" else ""
        )
    else:
        lines = [error.message]
        lines += [
            # A sentence that stands there already is not said again for the field.
            f"  {field}" if what in error.message else f"  {field}: {what}"
            for field, what in error.fields
        ]
        step = next_step_of(error)
        if exit_code is ExitCode.UNREACHABLE:
            lines.append(f"Request id, to repeat the command safely: {session.request_id}")
    if step:
        lines.append(words("next", step=step))
    if error.call_id:
        lines.append(
            words("code", id=error.call_id) if for_citizens else f"Call id: {error.call_id}"
        )
    session.output.tell("\n".join(lines))
    raise typer.Exit(exit_code)


def _fail(
    choices: Choices,
    message: str,
    next_step: str,
    exit_code: ExitCode,
    session: Session | None,
) -> NoReturn:
    if choices.is_json:
        _fail_json(exit_code, message=message, next_step=next_step)
    words = session.words if session else Words("en")
    lines = [message, words("next", step=next_step)] if next_step else [message]
    Output(is_json=False).tell("\n".join(lines))
    raise typer.Exit(exit_code)


def _fail_json(exit_code: ExitCode, **error: Any) -> NoReturn:
    print(json.dumps({"error": error}, indent=2), file=sys.stderr)
    raise typer.Exit(exit_code)
