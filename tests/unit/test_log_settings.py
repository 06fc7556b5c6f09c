# SPDX-License-Identifier: Apache-2.0
"""The settings of the log: a policy that can be kept, and how long it may not be."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from vault.configuration.config import read_config
from vault.configuration.settings import PREFIX, ConfigError
from vault.transparency.cosignature import CosignatureSigner

VKEY = CosignatureSigner("w.example", bytes(32)).verifier.vkey
WITNESSED = f"witness w {VKEY} https://w.example/\nquorum w\n"


def settings(path: Path, policy: str, **values: str) -> dict[str, str]:
    """Return settings with a policy."""
    path.write_text(policy)
    given = {"DATA": "/data", "ENVIRONMENT": "development", "LOG_POLICY": str(path), **values}
    return {PREFIX + name: value for name, value in given.items()}


def test_nobody_has_to_cosign_unless_said() -> None:
    config = read_config({f"{PREFIX}DATA": "/data", f"{PREFIX}ENVIRONMENT": "development"})

    assert config.log.policy.is_quorum([])
    assert config.log.unwitnessed_seconds == math.inf


def test_a_policy_names_who_has_to(tmp_path: Path) -> None:
    config = read_config(settings(tmp_path / "policy", WITNESSED, UNWITNESSED_SECONDS="60"))

    assert [witness.url for witness in config.log.policy.witnesses] == ["https://w.example/"]
    assert not config.log.policy.is_quorum([])
    assert config.log.unwitnessed_seconds == 60


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("", "no quorum line"),
        ("quorum w\n", "line 1 of the policy"),
        (f"witness w {VKEY}\nquorum w", "newline"),
        (f"witness w {VKEY} http://w.example/\nquorum w\n", "https"),
        (f"witness w {VKEY} ftp://127.0.0.1/\nquorum w\n", "https"),
    ],
)
def test_a_bad_policy_is_named(tmp_path: Path, policy: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        read_config(settings(tmp_path / "policy", policy))

    assert [fault.split()[0] for fault in refused.value.faults] == [f"{PREFIX}LOG_POLICY"]


def test_a_policy_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = {**settings(tmp_path / "policy", WITNESSED), f"{PREFIX}LOG_POLICY": "/nowhere"}

    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(missing)


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "99999999"])
def test_a_bad_bound_is_named(tmp_path: Path, seconds: str) -> None:
    with pytest.raises(ConfigError, match="UNWITNESSED_SECONDS must be a number"):
        read_config(settings(tmp_path / "policy", WITNESSED, UNWITNESSED_SECONDS=seconds))


def test_a_bound_needs_somebody_who_witnesses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a policy whose quorum is not none"):
        read_config(settings(tmp_path / "policy", "quorum none\n", UNWITNESSED_SECONDS="60"))
    without = settings(tmp_path / "policy", WITNESSED, UNWITNESSED_SECONDS="60")
    del without[f"{PREFIX}LOG_POLICY"]
    with pytest.raises(ConfigError, match="who has to witness"):
        read_config(without)
