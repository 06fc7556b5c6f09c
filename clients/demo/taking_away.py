# SPDX-License-Identifier: Apache-2.0
"""What she takes away: everything that is kept of her, in a folder of hers for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from clients.cli import export_folder
from clients.connection import Connection
from clients.demo.things import LANGUAGE
from clients.wording.words import Words
from vault.api.v1.vault_service_pb2 import ExportVaultRequest


@contextmanager
def take_away(mair: Connection) -> Iterator[Path]:
    """Write her export into a folder, which is removed on the way out.

    It lies apart from all that the story searches: it is hers, and can be read.
    """
    with TemporaryDirectory(prefix="citizen-vault-demo-hers-") as name:
        folder = Path(name)
        parts = mair.vaults.ExportVault(ExportVaultRequest())
        export_folder.write(folder, parts, Words(LANGUAGE), lambda _: None)
        yield folder
