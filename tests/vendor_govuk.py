# SPDX-License-Identifier: Apache-2.0
"""Takes style and script of GOV.UK Frontend into `clients/web/static/govuk`: `make vendor-govuk`.

The code is under the MIT licence. Not for anybody outside gov.uk are its typeface, the crest and
the GOV.UK logo, so their rules are left out; nor is anything named that is not served.
"""

import base64
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "6.3.0"
"""The version whose markup `govuk-frontend-jinja`, as pinned in `pyproject.toml`, writes."""

TARGET: Final = Path(__file__).parents[1] / "clients" / "web" / "static" / "govuk"
STYLE: Final = "govuk-frontend.min.css"
SCRIPT: Final = "govuk-frontend.min.js"

_SHA512: Final = (
    "cXIQxm5PHCsbic47GXZrVBZhAeeshTLRL6ZBKilLsR6rMCjJuWb7Fruq0VUNMBJFlJk/srsRj/q8d5bM9cgKoA=="
)
_SOURCE_MAP: Final = re.compile(r"\n?(/\*|//)# sourceMappingURL=\S+( \*/)?")
_TYPEFACE: Final = re.compile(r"/\*! Copyright[^*]*Margaret Calvert[^*]*\*/|@font-face\{[^{}]*\}")
_EMBLEM_RULE: Final = re.compile(
    r"(?<=[{}])(:focus )?\.govuk-(footer__(copyright-logo|crown)|header__logotype|logo-dot)"
    r"[^{}]*\{[^{}]*\}"
)
_EMPTY_BLOCK: Final = re.compile(r"@(?:media|supports)[^{}]*\{\}")


class VendorError(Exception):
    """What was fetched is not what was asked for."""


def style_without_identity(css: str) -> str:
    """Return the style without typeface, crest, logo and source map."""
    css = _SOURCE_MAP.sub("", css)
    css = _TYPEFACE.sub("", css).replace("GDS Transport,arial,", "arial,")
    css = _EMBLEM_RULE.sub("", css)
    # An emptied block may have been all that another block held.
    while _EMPTY_BLOCK.search(css):
        css = _EMPTY_BLOCK.sub("", css)
    return css.strip() + "\n"


def script_without_map(script: str) -> str:
    """Return the script without the line that names its source map."""
    return _SOURCE_MAP.sub("", script).strip() + "\n"


def main() -> None:
    """Fetch the package with npm, and write what of it is served.

    Raises:
        VendorError: if the package's digest is not the one that stands here.
    """
    with tempfile.TemporaryDirectory() as folder:
        package = _fetched(Path(folder))
        _check(package)
        style, script = (_member(package, name) for name in (STYLE, SCRIPT))
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / STYLE).write_text(style_without_identity(style), encoding="utf-8")
    (TARGET / SCRIPT).write_text(script_without_map(script), encoding="utf-8")
    sys.stdout.write(f"GOV.UK Frontend {VERSION} lies in {TARGET}\n")


def _fetched(folder: Path) -> Path:
    # npm comes as a Python package, its program lies beside Python's.
    npm = Path(sys.executable).parent / "npm"
    path = os.pathsep.join((str(npm.parent), os.environ["PATH"]))
    subprocess.run(
        [str(npm), "pack", "--silent", f"govuk-frontend@{VERSION}"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / f"govuk-frontend-{VERSION}.tgz"


def _check(package: Path) -> None:
    came = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode("ascii")
    if came != _SHA512:
        raise VendorError(f"govuk-frontend {VERSION} has the SHA-512 {came}, not {_SHA512}")


def _member(package: Path, name: str) -> str:
    with tarfile.open(package) as archive:
        member = archive.extractfile(f"package/dist/govuk/{name}")
        if member is None:
            raise VendorError(f"govuk-frontend {VERSION} has no {name}")
        return member.read().decode("utf-8")


if __name__ == "__main__":
    main()
