# SPDX-License-Identifier: Apache-2.0
"""Logging, one JSON line an event, of listed keys only: what is not listed is not written.

No value that a caller sent can pass: no ids but the random `call_id`, no messages of exceptions.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, Final

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

LISTED_KEYS: Final = frozenset(
    {
        "event",
        "level",
        "time",
        "call_id",
        "method",
        "code",
        "reason",
        "role",
        "milliseconds",
        "error",
        "trace",
        "target",
        "http",
        "environment",
        "process",
    }
)
FLUSH_SECONDS: Final = 0.05
"""How long a line may lie in memory: a write for each call is a good part of what it costs."""

_CALL: Final = b'"event":"call"'
_JSON: Final = msgspec.json.Encoder()


def make_logger(stream: BinaryIO | None = None) -> FilteringBoundLogger:
    """Return a logger that writes to a stream, by default standard error."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(stream or sys.stderr.buffer),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _listed_only,
            _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger


class _Lines:
    """Writes lines. A log without a reader, or on a full disk, fails nobody's call."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._will_flush = False

    def info(self, line: bytes) -> None:
        """Write a line; a call's within a moment, together with others."""
        self._write(line)
        if _CALL not in line:
            self._flush()
        elif not self._will_flush:
            try:
                asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)
            except RuntimeError:
                self._flush()
            else:
                self._will_flush = True

    def error(self, line: bytes) -> None:
        """Write a line at once."""
        self._write(line)
        self._flush()

    msg = warning = critical = error

    def _write(self, line: bytes) -> None:
        with suppress(OSError):
            self._stream.write(line + b"\n")

    def _flush(self) -> None:
        self._will_flush = False
        with suppress(OSError):
            self._stream.flush()


def trace_of(error: BaseException) -> list[str]:
    """Return where an exception passed: files, lines and names, without messages and values."""
    frames: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(frames) < 100:
        frames.append(type(seen).__name__)
        frames.extend(_frames(seen.__traceback__))
        seen = seen.__cause__ or seen.__context__
    return frames


def _frames(trace: TracebackType | None) -> list[str]:
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(trace, limit=-20)
    ]


def _listed_only(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value for key, value in event.items() if key in LISTED_KEYS}


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> Any:
    return _JSON.encode(event)
