# SPDX-License-Identifier: Apache-2.0
"""A fault of ours is logged with where it happened, and with nothing of hers."""

from __future__ import annotations

import copy
import io
import logging
import logging.config

import uvicorn.config

from clients.web.quiet_log import WithoutMessages

TYPED = "14 Heol yr Afon"


def breaks(typed: str) -> int:
    return int(typed)


def test_a_fault_is_logged_without_what_was_typed() -> None:
    logger = logging.getLogger("uvicorn.error")
    quiet, said = WithoutMessages(), io.StringIO()
    handler = logging.StreamHandler(said)
    logger.addFilter(quiet)
    # The program adds its filter before uvicorn sets up its loggers, which keeps it.
    logging.config.dictConfig(copy.deepcopy(uvicorn.config.LOGGING_CONFIG))
    logger.addHandler(handler)
    try:
        breaks(TYPED)
    except ValueError:
        logger.exception("Exception in ASGI application\n")
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(quiet)

    assert TYPED not in said.getvalue()
    assert "Exception in ASGI application ValueError" in said.getvalue()
    assert "in breaks" in said.getvalue()
