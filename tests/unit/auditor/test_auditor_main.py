# SPDX-License-Identifier: Apache-2.0
"""The verifier as a program: arguments, output, exit codes, and what it needs to run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clients.auditor import desk as desk_module
from clients.auditor.main import main
from clients.auditor.report import HISTORY_NOTE
from clients.auditor.trust import VERDICTS
from tests.unit.auditor.stories import PUBLIC_KEY, Story, an_honest_story
from vault.domain.canonical import b64


@pytest.fixture(scope="module")
def story() -> Story:
    return an_honest_story()


@pytest.fixture
def files(story: Story, tmp_path: Path) -> list[str]:
    """Write an export and return the arguments that name it."""
    vault, registry = tmp_path / "vault.jsonl", tmp_path / "registry.jsonl"
    vault.write_bytes(b"".join(placed.line + b"\n" for placed in story.vault))
    registry.write_bytes(b"".join(placed.line + b"\n" for placed in story.registry))
    return ["history", str(vault), "--registry", str(registry)]


def test_decisions_without_a_proof_exit_with_1(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(files) == 1
    out = capsys.readouterr().out
    assert "NOT SHOWN TO BE HERS (consent-granted.1 at version 5: she was signed in" in out
    assert out.endswith(f"{HISTORY_NOTE}\n")


def test_a_cut_export_exits_with_1_and_says_where(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    vault = Path(files[1])
    lines = vault.read_bytes().splitlines(keepends=True)
    vault.write_bytes(b"".join(lines[:5] + lines[6:]))

    assert main(files) == 1
    assert "FAILED (vault version 6: version 6 is missing" in capsys.readouterr().out


def test_a_history_that_no_checkpoint_covers_exits_with_3(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    vault = Path(files[1])
    lines = vault.read_bytes().splitlines(keepends=True)
    vault.write_bytes(b"".join(lines[:4]))

    assert main(files) == 3
    assert "UNSIGNED (no checkpoint was shown, no independent" in capsys.readouterr().out


def test_receipts_and_their_key_are_taken_from_files_and_arguments(
    files: list[str], story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(story.vault[5].receipt)

    main([*files, "--receipt", str(receipt), "--receipt-key", b64(PUBLIC_KEY), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert (report["findings"], report["keys_pinned"]) == ([], True)
    assert [held["holds"] for held in report["receipts"]] == [True]


def test_a_receipt_is_judged_by_itself(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(story.vault[5].receipt)

    assert main(["receipt", str(receipt), "--receipt-key", b64(PUBLIC_KEY)]) == 3
    assert "UNSIGNED (it has no proof yet, no independent witness signed" in capsys.readouterr().out
    assert main(["receipt", str(receipt), "--receipt-key", b64(bytes(32))]) == 1
    assert "its signature does not verify" in capsys.readouterr().out


def test_the_json_answers_for_the_moment_that_was_asked_for(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*files, "--as-of-version", "4", "--json"])

    report = json.loads(capsys.readouterr().out)
    assert report["as_of"]["version"] == 4
    assert {consent["state"] for consent in report["consents"]} == {"not granted"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--receipt", "/none"],
        ["--receipt-key", "abc"],
        ["--log-key", "name+00000000+AAAA"],
        ["--policy", "/dev/null"],
        ["--proofs", "/dev/null", "--provider-keys", "/dev/null"],
        ["--as-of", "yesterday"],
        ["--as-of-version", "0"],
        ["--as-of-version", "99"],
        ["--as-of-version", "1", "--as-of", "2026-03-02T09:00:00.000000Z"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_exit_with_2_and_say_why(
    files: list[str], wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exits:
        main([*files, *wrong])

    assert exits.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_missing_file_exits_with_2(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as exits:
        main(["history", str(tmp_path / "none"), "--registry", str(tmp_path / "none")])

    assert exits.value.code == 2


@pytest.mark.parametrize("command", [[], ["history"], ["log"], ["receipt"]], ids=str)
def test_help_documents_verdicts_and_exit_codes(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--help"])

    out = capsys.readouterr().out
    assert all(f"  {verdict}  " in out for verdict in VERDICTS)
    assert "  1  FAILED or NOT SHOWN TO BE HERS\n" in out


def test_long_input_shows_progress_to_whoever_looks(
    files: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(desk_module, "PROGRESS_EVERY", 10)
    main(files)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    main(files)

    said = capsys.readouterr().err.split("\r")[1:]
    assert [part.split(" a second")[0].split(",")[0] for part in said] == [
        "10 records",
        "20 records",
    ]


def test_it_runs_on_cryptography_and_the_standard_library_alone(files: list[str]) -> None:
    """A copy of the folder is all that an auditor needs: nothing of ours, no other library."""
    program = """
import sys
from clients.auditor.main import main
code = main(sys.argv[1:])
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
foreign -= {"clients", "cryptography", "_cffi_backend", "__main__", "sitecustomize"}
ours = {name for name in sys.modules if name.startswith("clients.")}
print(sorted(name for name in foreign if not name.startswith("_")), file=sys.stderr)
print(sorted(n for n in ours if not n.startswith("clients.auditor")), file=sys.stderr)
sys.exit(code)
"""
    root = str(Path(__file__).parents[3])

    done = subprocess.run(
        [sys.executable, "-c", program, *files],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines() == ["[]", "[]"]
