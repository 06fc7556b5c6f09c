# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-web`: serves the pages on loopback; a proxy on the same machine does TLS."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from clients.web.app import application
from clients.web.quiet_log import WithoutMessages
from clients.web.settings import USUAL_PORT, SettingsError, development_settings, read_settings


def serve(
    *,
    development: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="The data folder of a server in development."),
    ] = None,
    port: Annotated[int, typer.Option(help="With --development: where to listen.")] = USUAL_PORT,
) -> None:
    """Serve the pages of citizens, staff and officials until it is interrupted."""
    try:
        settings = (
            development_settings(development, port) if development else read_settings(os.environ)
        )
    except SettingsError as error:
        sys.exit(str(error))
    logging.getLogger("uvicorn.error").addFilter(WithoutMessages())
    uvicorn.run(
        application(settings),
        host="localhost" if settings.is_development else "127.0.0.1",
        port=settings.port,
        # An address holds ids of hers.
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=5,
        limit_concurrency=200,
        h11_max_incomplete_event_size=32 * 1024,
    )


def main() -> None:
    """Run the program."""
    typer.run(serve)


if __name__ == "__main__":
    main()
