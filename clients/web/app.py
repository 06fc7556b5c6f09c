# SPDX-License-Identifier: Apache-2.0
"""The application: every room's pages, and what happens around each visit.

headers → host → session → sign-in → form is ours → the page's function → what went wrong, said
"""

from __future__ import annotations

import contextlib
import importlib
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from clients.approving import NotAsShownError
from clients.connection import CallError
from clients.oidc.provider import SignInError
from clients.web import failure
from clients.web.approvals import PasskeyAnswerError
from clients.web.forms import Form, FormError, is_from_our_page, is_same_origin, read_form
from clients.web.headers import Addresses, Headers
from clients.web.here import LANGUAGE, Here, local_path
from clients.web.house import TOKEN, House
from clients.web.uploads import Uploads
from clients.wording.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from clients.web.room import Route as Page
    from clients.web.sessions import Session
    from clients.web.settings import Settings

ROOMS: Final = (
    "clients.web.sign_in",
    "clients.web.start.pages",
    "clients.web.account.pages",
    "clients.web.account.sign_ins",
    "clients.web.account.linking",
    "clients.web.account.keys",
    "clients.web.account.contact",
    "clients.web.requests.pages",
    "clients.web.requests.deciding",
    "clients.web.sharing.pages",
    "clients.web.sharing.stopping",
    "clients.web.sharing.lessening",
    "clients.web.sharing.going_on",
    "clients.web.confirmations.pages",
    "clients.web.confirmations.taking_away",
    "clients.web.staff.pages",
    "clients.web.staff.asking",
    "clients.web.staff.looking",
    "clients.web.staff.purposes",
    "clients.web.help.pages",
    "clients.web.information.documents",
    "clients.web.information.giving",
    "clients.web.information.pages",
    "clients.web.information.wrong",
    "clients.web.seen.pages",
)
"""The modules that hold a `room`, in the order of the menu."""

COOKIE: Final = "__Host-citizen-vault"
"""By its prefix, no neighbour can set it, and none but us gets it (RFC 6265bis)."""

_YEAR_SECONDS: Final = 31_536_000


def application(settings: Settings) -> ASGIApp:
    """Return the application, which opens what it stands on when it starts."""
    house, uploads = House(settings), Uploads()
    routes: list[Route | Mount] = [
        Route(path, _endpoint(house, pages, uploads), methods=sorted(pages), name=path)
        for path, pages in by_path().items()
    ]
    # Pages are sent as they are: packed beside what others wrote, their secrets could be guessed.
    static = GZipMiddleware(_Static(packages=[("clients.web", "static")]))
    routes.append(Mount("/static", static))
    host = urllib.parse.urlsplit(settings.origin).hostname or ""
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=[host]),
        Middleware(Addresses),
    ]

    async def wrong(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return await run_in_threadpool(_failed, house, request, status)

    inside = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={HTTPException: wrong, 500: wrong},
        lifespan=_lifespan(house),
    )
    # Around it, for what Starlette answers outside of any middleware has them, too: a 500.
    return Headers(inside, lambda: house.sign_in_origin, is_secure=settings.is_secure)


def by_path() -> dict[str, dict[str, Page]]:
    """Return every page and form by its path and method."""
    found: dict[str, dict[str, Page]] = {}
    for name in ROOMS:
        for page in importlib.import_module(name).room:
            known = found.setdefault(page.path, {})
            if page.method in known:
                raise ValueError(f"Two pages answer {page.method} {page.path}.")
            known[page.method] = page
    return found


def _lifespan(house: House) -> Callable[[Starlette], Any]:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        house.sessions.sweep()
        yield
        house.close()

    return lifespan


def _endpoint(
    house: House, pages: dict[str, Page], uploads: Uploads
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def endpoint(request: Request) -> Response:
        # Starlette answers HEAD wherever it answers GET.
        page = pages["GET" if request.method == "HEAD" else request.method]
        if not page.takes_files:
            return await answer(request, page)
        who = await run_in_threadpool(_known, house, request)
        if who is None:
            # A stranger is led to the sign-in before anything so large is read.
            return await run_in_threadpool(_visit, house, request, page, Form())
        async with uploads.place(who):
            return await answer(request, page)

    async def answer(request: Request, page: Page) -> Response:
        form = Form()
        if page.method == "POST":
            try:
                form = await read_form(request, takes_files=page.takes_files)
            except FormError as error:
                return await run_in_threadpool(_failed, house, request, error.status)
        return await run_in_threadpool(_visit, house, request, page, form)

    return endpoint


def _known(house: House, request: Request) -> tuple[str, str] | None:
    """Return who is signed in here, or was until lately; None if that is nobody."""
    session = session_of(house, request)
    return (session.issuer, session.sub) if session and session.sub else None


def _visit(house: House, request: Request, page: Page, form: Form) -> Response:
    """Answer one visit, on a thread of its own."""
    session = session_of(house, request) or house.sessions.new()
    here = Here(house, request, session, form, page.room)
    secret = session.secret
    TOKEN.set(session.token)
    response = _switched(here) if page.method == "GET" else None
    response = response or _admitted(here, page) or _answered(here, page)
    if session.is_new and not session.notes and not session.is_signed_in:
        # Who only looks gets no cookie.
        return response
    house.sessions.keep(session)
    if session.secret != secret or request.cookies.get(COOKIE) != session.secret:
        response.set_cookie(
            COOKIE, session.secret, path="/", secure=True, httponly=True, samesite="lax"
        )
    return response


def _switched(here: Here) -> Response | None:
    """Return what leads to the same page in another language, if that was asked for."""
    language = here.asked(LANGUAGE)
    if language not in LANGUAGES:
        return None
    url = here.request.url.remove_query_params(LANGUAGE)
    path = local_path(f"{url.path}?{url.query}" if url.query else url.path)
    response = RedirectResponse(path, 303)
    response.set_cookie(
        LANGUAGE,
        language,
        max_age=_YEAR_SECONDS,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return response


def _admitted(here: Here, page: Page) -> Response | None:
    """Return what is answered instead of a page to whoever may not see it, or sent a bad form."""
    session = here.session
    role = session.role if session.is_signed_in else ""
    if page.method == "POST":
        if not is_same_origin(here.request, here.house.settings.origin):
            return failure.page(here, 403, "form")
        if role not in page.roles and not role:
            return _sign_in_first(here, typed=True)
        if not is_from_our_page(
            here.request, here.form, session.secret, here.house.settings.origin
        ):
            return failure.page(here, 403, "form")
    if role in page.roles and (role != "official" or here.is_assisted or _is_own(page)):
        return None
    if role == "official" and role in page.roles:
        return here.to("/help")
    return failure.page(here, 404, "not.found") if role else _sign_in_first(here, typed=False)


def _is_own(page: Page) -> bool:
    """Say whether a page is an official's own, and not that of somebody whom she helps."""
    return "citizen" not in page.roles or "" in page.roles


def _sign_in_first(here: Here, *, typed: bool) -> Response:
    """Lead somebody to the sign-in and back; what was typed is kept for the same person."""
    path, session = here.request.url.path, here.session
    # For whom an official typed it is not known any more.
    is_hers = bool(session.sub) and session.role != "official"
    if typed and is_hers and not session.is_shared_device:
        session.notes["typed"] = {"path": path, "fields": list(here.form.pairs())}
        path = "/typed"
    elif here.request.url.query:
        path = f"{path}?{here.request.url.query}"
    lapsed = "&lapsed=yes" if session.sub else ""
    return here.to(f"/welcome-back?back={urllib.parse.quote(path, safe='')}{lapsed}")


def _answered(here: Here, page: Page) -> Response:
    began = here.session.notes.get("flow") or {}
    try:
        return page.handler(here)
    except CallError as error:
        return failure.of_call(here, error)
    except SignInError as error:
        is_decision = began.get("why") == "decision"
        back = str(began["back"]) if is_decision else ""
        return failure.page(here, 400, f"sign.in.{error.reason}", back)
    except NotAsShownError:
        return failure.page(here, 409, "not.as.shown")
    except PasskeyAnswerError:
        return failure.page(here, 400, "passkey")
    except failure.NotThereError:
        return failure.page(here, 404, "not.found")


def _failed(house: House, request: Request, status: int) -> Response:
    """Return the page of what went wrong outside of any page of ours."""
    session = session_of(house, request) or house.sessions.new()
    here = Here(house, request, session, Form(), "")
    TOKEN.set(session.token)
    known = {404: "not.found", 405: "not.found", 408: "slow", 411: "form", 413: "large"}
    return failure.page(here, status, known.get(status, "form" if status < 500 else "ours"))


def session_of(house: House, request: Request) -> Session | None:
    """Return the session of a browser, if it has one."""
    secret = request.cookies.get(COOKIE, "")
    return house.sessions.find(secret) if secret else None


class _Static(StaticFiles):
    """Files that never change under one address: `asset` puts their digest there."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file that browsers keep."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = f"public, max-age={_YEAR_SECONDS}, immutable"
        return response
