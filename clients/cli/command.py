# SPDX-License-Identifier: Apache-2.0
"""How a function becomes a command: the options that every command has, and how it fails.

A command's function takes a `Session` first, then what is typed. It returns, or raises
`CommandError` or `CallError`; here they become a sentence on stderr and an exit code.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Final, NoReturn, get_type_hints

import typer

from clients.approving import NotAsShownError
from clients.cli.assistance import Assistance
from clients.cli.errors import CommandError, ExitCode, exit_code_of, next_step_of, told_to_citizen
from clients.cli.output import Output
from clients.cli.session import Choices, Session
from clients.connection import CallError
from clients.wording.times import ZoneError
from clients.wording.words import Words

FOR_CITIZENS: Final = "For citizens"
_PANEL: Final = "With every command"
_FUNCTIONS: Final[dict[Callable[..., Any], Callable[..., None]]] = {}

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
    group: typer.Typer,
    name: str,
    *,
    for_citizens: bool = False,
    panel: str | None = None,
    assisting: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command of a group. One function may be a command of several.

    Args:
        for_citizens: its errors are told in citizens' words.
        panel: under which heading its group lists it.
        assisting: an official runs it, for somebody whom these options tell of.
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
            for name, annotation in {**_SHARED, **(assisting or {})}.items()
        ]

        def run(**typed: Any) -> None:
            told = {name.removeprefix("shared_"): typed.pop(name) for name in assisting or {}}
            choices = Choices(
                is_json=typed.pop("shared_json"),
                language=typed.pop("shared_language"),
                sign_in=typed.pop("shared_sign_in"),
                server=typed.pop("shared_server"),
                is_explaining=typed.pop("shared_explain"),
            )
            _run(function, choices, typed, for_citizens=for_citizens, told=told)

        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in given
        ] + shared
        run.__name__ = function.__name__
        run.__doc__ = inspect.cleandoc(function.__doc__ or "")
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        # Typer reads a command's options from its signature.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        group.command(name, rich_help_panel=panel)(run)
        _FUNCTIONS[run] = function
        return function

    return register


def assisted(
    hers: typer.Typer,
    group: typer.Typer,
    assisting: Mapping[str, Any],
    *,
    without: Collection[str] = (),
) -> typer.Typer:
    """Make a citizen's commands commands of another group, which an official runs for her.

    Args:
        without: the names of those that are left out.
    """
    for known in hers.registered_commands:
        if known.callback is not None and known.name and known.name not in without:
            function = _FUNCTIONS[known.callback]
            command(group, known.name, for_citizens=True, assisting=assisting)(function)
    for inner in hers.registered_groups:
        if inner.typer_instance is not None and inner.name:
            same = noun(str(inner.typer_instance.info.help))
            group.add_typer(assisted(inner.typer_instance, same, assisting), name=inner.name)
        elif inner.typer_instance is not None:
            # Without a name of its own its commands are those of the group around it.
            assisted(inner.typer_instance, group, assisting, without=without)
    return group


def _run(
    function: Callable[..., None],
    choices: Choices,
    typed: dict[str, Any],
    *,
    for_citizens: bool,
    told: Mapping[str, str],
) -> None:
    session: Session | None = None
    try:
        if told:
            choices = dataclasses.replace(choices, assistance=Assistance.typed(**told))
        session = Session(choices)
        function(session, **typed)
        if session.has_fallen_back and not choices.is_json:
            session.output.tell(session.words("only.english"))
    except UnicodeEncodeError:
        words = session.words if session else Words("en")
        _fail(choices, words("not.unicode"), "", ExitCode.USAGE, session)
    except NotAsShownError:
        words = session.words if session else Words("en")
        step = words("not.as.shown.next")
        _fail(choices, words("not.as.shown"), step, ExitCode.NOT_AS_SHOWN, session)
    except ZoneError as error:
        step = "Set CITIZEN_VAULT_ZONE, or unset it."
        _fail(choices, str(error), step, ExitCode.USAGE, session)
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
        lines = told_to_citizen(error, words)
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
            lines.append(f"Call id: {error.call_id}")
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
    lines = told_to_citizen(CommandError(message, next_step), words)
    Output(is_json=False).tell("\n".join(lines))
    raise typer.Exit(exit_code)


def _fail_json(exit_code: ExitCode, **error: Any) -> NoReturn:
    print(json.dumps({"error": error}, indent=2), file=sys.stderr)
    raise typer.Exit(exit_code)
