# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server tail`, as an operator runs it after restoring a backup."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import DEPLOYMENT, Shared, fetch, opened, revoke
from vault.domain.errors import ConsentRevokedError, VaultFrozenError
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper, create_key_file

ROOT = Path(__file__).parents[3]


def run(data: Path, *arguments: str) -> tuple[int, str]:
    """Run the program on a folder of databases, and return its exit code and what it told."""
    done = subprocess.run(
        [sys.executable, "-m", "vault.main", "tail", *arguments, "--data", str(data)],
        cwd=ROOT,
        env={
            **os.environ,
            "CITIZEN_VAULT_ENVIRONMENT": "development",
            "CITIZEN_VAULT_DEPLOYMENT": DEPLOYMENT,
            "CITIZEN_VAULT_KEY_FILE": str(data / "kek"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout == "") != (done.stderr == "")
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.mark.timeout(120)
async def test_an_operator_brings_back_what_a_backup_lacks(
    folder: Path, shared: Shared, tmp_path_factory: pytest.TempPathFactory
) -> None:
    restored = tmp_path_factory.mktemp("restored") / "data"
    file = folder / "tail"
    # Nothing is open, so that copying is a backup.
    shutil.copytree(folder, restored)
    async with opened(folder) as house:
        await fetch(house, shared)
        await revoke(house, shared)
        size = await house.lane.tree_size()
    ends = size - 2
    # The key store has backups of its own, and was not damaged.
    for name in ("keys.db", "keys.db-wal", "keys.db-shm"):
        if (folder / name).exists():
            shutil.copy(folder / name, restored / name)
    async with opened(restored) as house:
        with pytest.raises(VaultFrozenError):
            await fetch(house, shared)

    alone = tmp_path_factory.mktemp("alone")
    shutil.copy(folder / "events.db", alone)
    code, told = run(alone, "save", str(file), "--from", str(ends))
    assert (code, "There is no key store" in told) == (1, True)
    assert not (alone / "keys.db").exists()

    assert run(folder, "save", str(file), "--from", str(size - 1))[0] == 0
    code, told = run(restored, "replay", str(file))
    assert (code, f"save the tail from {ends} or before" in told) == (1, True)
    code, told = run(folder, "save", str(file), "--from", str(ends))
    assert (code, "File exists" in told) == (1, True)
    file.unlink()

    code, told = run(folder, "save", str(file), "--from", str(ends))
    assert (code, told.startswith("Saved 2 records.")) == (0, True)
    said = "The operator's history says so."
    expected = [f"Put 2 records back; 0 were there already. {said}"]
    expected += ["Put 0 records back; 2 were there already."]
    other = tmp_path_factory.mktemp("other")
    create_key_file(other / "kek")
    SQLiteKeyStore(other / "keys.db", FileKeyWrapper(other / "kek")).close()
    code, told = run(other, "replay", str(file))
    assert (code, "as it was saved beside this key store" in told) == (1, True)
    assert [run(restored, "replay", str(file)) for _ in range(2)] == [(0, s) for s in expected]

    async with opened(restored) as house:
        with pytest.raises(ConsentRevokedError):
            await fetch(house, shared)
