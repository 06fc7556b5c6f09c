# SPDX-License-Identifier: Apache-2.0
"""What is logged of a fault of ours: where it happened and of what kind, never what was said there.

The message of an exception may hold what somebody typed, or a value of hers.
"""

from __future__ import annotations

import logging
import traceback


class WithoutMessages(logging.Filter):
    """Replaces an exception by its type and the lines of code that led to it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, without the messages of exceptions."""
        if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
            kind, _, frames = record.exc_info
            where = "".join(traceback.format_tb(frames))
            record.msg = f"{record.getMessage().rstrip()} {kind.__qualname__}\n{where}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True
