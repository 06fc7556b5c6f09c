# SPDX-License-Identifier: Apache-2.0
"""What of GOV.UK Frontend is served: its code under the MIT licence, nothing of its identity."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest

from tests.vendor_govuk import (
    SCRIPT,
    STYLE,
    TARGET,
    VERSION,
    script_without_map,
    style_without_identity,
)

NOT_OURS = ("GDS Transport", "@font-face", "crest", "logotype", "logo-dot", "gov.uk", "Calvert")


@pytest.mark.parametrize("name", NOT_OURS)
def test_style_has_nothing_that_only_gov_uk_may_show(name: str) -> None:
    assert name not in (TARGET / STYLE).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [STYLE, SCRIPT])
def test_files_name_nothing_that_is_not_served(name: str) -> None:
    text = (TARGET / name).read_text(encoding="utf-8")
    assert "sourceMappingURL" not in text
    assert not re.findall(r"url\((?!data:)[^)]*\)", text)


def test_there_is_nothing_else_and_the_licence_is_with_it() -> None:
    assert {file.name for file in TARGET.iterdir()} == {"LICENCE.txt", STYLE, SCRIPT}
    licence = (TARGET / "LICENCE.txt").read_text(encoding="utf-8")
    assert "The MIT License" in licence
    assert f"GOV.UK Frontend {VERSION}" in licence


def test_assets_are_of_the_version_whose_markup_is_written() -> None:
    assert f'version="{VERSION}"' in (TARGET / SCRIPT).read_text(encoding="utf-8")
    # govuk-frontend-jinja 4.1.0 writes the markup of GOV.UK Frontend 6.3.0.
    assert (version("govuk-frontend-jinja"), VERSION) == ("4.1.0", "6.3.0")


def test_rules_around_what_goes_are_kept() -> None:
    css = (
        "a{color:red}/*! Copyright (c) 2011 by Margaret Calvert & Henrik Kubel. */"
        "@font-face{font-family:GDS Transport;src:url(/f.woff)}b{font-family:GDS Transport,arial,x}"
        "@supports (mask:x){@media screen{.govuk-footer__copyright-logo:before{mask:url(/c.svg)}}}"
        ".govuk-logo-dot{fill:red}c{color:blue}\n/*# sourceMappingURL=x.css.map */\n"
    )
    assert style_without_identity(css) == "a{color:red}b{font-family:arial,x}c{color:blue}\n"
    assert script_without_map("f();//# sourceMappingURL=x.js.map\n") == "f();\n"
