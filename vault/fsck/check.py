# SPDX-License-Identifier: Apache-2.0
"""Checks a whole deployment as its configuration names it, reading only.

A server may run meanwhile: what it appends after the check has begun is left to the next one. What
is compared with something that grows is read before that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from vault.configuration.config import EVENTS_FILE, KEYS_FILE, Config
from vault.domain.lane import FIRST_LANE, origin_of
from vault.fsck.documents import Documents
from vault.fsck.keys import Keys
from vault.fsck.lane import LaneCheck, Listed
from vault.fsck.log import LogCheck
from vault.fsck.report import Finding, Report
from vault.fsck.rows import KeyRows, LaneRows, Select, postgres_rows, sqlite_rows
from vault.sealing.wrapper import FileKeyWrapper

if TYPE_CHECKING:
    from pathlib import Path

EVENTS_SCHEMA: Final = "citizen_vault"
KEYS_SCHEMA: Final = "vault_keys"
DOCUMENTS_FOLDER: Final = "documents"
LOG_FOLDER: Final = "log"

Progress = Callable[[int, int, int], None]
"""Told of a lane, of how many entries how many were looked at."""


def check(config: Config, progress: Progress) -> Report:
    """Check a deployment.

    Raises:
        RowsError: if a database cannot be read.
        SealingError: if the wrapping key cannot.
    """
    report = Report()
    with ExitStack() as parts:
        key_rows = KeyRows(_select_keys(config, parts))
        keys = Keys(key_rows, FileKeyWrapper(config.key_file), report)
        documents = Documents(config.data / DOCUMENTS_FOLDER)
        listed = Listed()
        vkeys: dict[int, str] = {}
        for lane in (FIRST_LANE, *config.store.lanes.databases):
            log = _log_check(config, keys, lane, report)
            rows = LaneRows(_select_lane(config, lane, parts), lane)
            size = rows.size()
            origin = origin_of(config.deployment, lane)
            lane_check = LaneCheck(rows, origin, keys, documents, report)
            for entry in lane_check.run(size, partial(progress, lane, size)):
                log.take(entry)
            log.finish()
            vkeys[lane] = log.vkey
            if lane == FIRST_LANE:
                listed = lane_check.listed
            elif not size:
                report.find(Finding("lane-missing", "The lane's database holds nothing.", lane))
        keys.check_all()
        _check_listed(config, listed, vkeys, keys, report)
    return report


def _check_listed(
    config: Config, listed: Listed, vkeys: dict[int, str], keys: Keys, report: Report
) -> None:
    """Compare what the registry lists with what is there."""
    for lane in listed.lanes.keys() - config.store.lanes.databases.keys():
        report.find(Finding("lane-missing", "It is listed, and not in the configuration.", lane))
    for lane, vkey in listed.log_keys.items():
        if vkeys.get(lane, vkey) != vkey:
            what = "The registry lists another key of its log, or the log's key is not there."
            report.find(Finding("log-differs", what, lane))
    secrets = keys.secrets()
    if secrets and listed.receipt_keys and secrets.receipt_key_id not in listed.receipt_keys:
        what = "The key that signs receipts is not listed in the registry."
        report.find(Finding("key-missing", what))


def _log_check(config: Config, keys: Keys, lane: int, report: Report) -> LogCheck:
    origin = origin_of(config.deployment, lane)
    folder: Path = config.data / LOG_FOLDER / str(lane)
    return LogCheck(folder, origin, lane, keys.log(origin), report)


def _select_keys(config: Config, parts: ExitStack) -> Select:
    if config.store.postgres is None:
        return sqlite_rows(config.data / KEYS_FILE, parts)
    return postgres_rows(config.store.postgres.keys, KEYS_SCHEMA, parts)


def _select_lane(config: Config, lane: int, parts: ExitStack) -> Select:
    store = config.store
    if store.postgres is None:
        files = {FIRST_LANE: str(config.data / EVENTS_FILE), **store.lanes.databases}
        return sqlite_rows(config.data / files[lane], parts)
    databases = {FIRST_LANE: store.postgres.events, **store.lanes.databases}
    return postgres_rows(databases[lane], EVENTS_SCHEMA, parts)
