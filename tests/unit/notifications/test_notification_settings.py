# SPDX-License-Identifier: Apache-2.0
"""The settings of notifications: who serves which way, and what is wrong, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from vault.commands.notify import channels_of
from vault.configuration.notifications import NotificationSettings, read_notifications
from vault.configuration.settings import PREFIX, ConfigError
from vault.notifications.files import FileChannel
from vault.notifications.govuk import NotifyChannel
from vault.notifications.letters import LetterChannel
from vault.notifications.mail import MailChannel

TEMPLATE: Final = "aaaaaaaa-0000-4000-8000-000000000001"
KEY: Final = "live-11111111-1111-4111-8111-111111111111-22222222-2222-4222-8222-222222222222"
MAIL: Final = {"NOTIFY_SMTP": "mail.example:587", "NOTIFY_SENDER": "Us <us@aber.example>"}


def read(
    folder: Path, given: Mapping[str, str], *, is_development: bool = True
) -> NotificationSettings:
    """Return the settings of an environment; values of files are their contents."""
    given = dict(given)
    for name in ("NOTIFY_GOVUK_KEY_FILE", "NOTIFY_SMTP_PASSWORD_FILE"):
        if name in given:
            (folder / name).write_text(given[name])
            given[name] = str(folder / name)
    environment = {PREFIX + name: value for name, value in given.items()}
    return read_notifications(environment, folder, is_development=is_development)


def faults(folder: Path, given: Mapping[str, str], *, is_development: bool = True) -> str:
    with pytest.raises(ConfigError) as error:
        read(folder, given, is_development=is_development)
    return "\n".join(error.value.faults)


def test_in_development_a_folder_will_do(tmp_path: Path) -> None:
    settings = read(tmp_path, {"NOTIFY": "file"})

    assert settings.start_page == "http://localhost:8000/"
    assert settings.messages == tmp_path / "notifications" / "messages"
    assert {type(one) for one in channels_of(settings).values()} == {FileChannel}


def test_who_is_named_first_serves_a_way(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        {
            "NOTIFY": "email letter govuk-notify",
            "NOTIFY_GOVUK_KEY_FILE": KEY,
            "NOTIFY_GOVUK_TEXT_TEMPLATE": TEMPLATE,
            "NOTIFY_GOVUK_LETTER_TEMPLATE": TEMPLATE,
            **MAIL,
        },
    )

    assert {way: type(one) for way, one in channels_of(settings).items()} == {
        "email": MailChannel,
        "post": LetterChannel,
        "telephone": NotifyChannel,
    }


def test_a_way_without_a_template_is_not_served(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        {
            "NOTIFY": "govuk-notify",
            "NOTIFY_GOVUK_KEY_FILE": KEY,
            "NOTIFY_GOVUK_EMAIL_TEMPLATE": TEMPLATE,
        },
    )

    assert channels_of(settings).keys() == {"email"}


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    said = faults(
        tmp_path,
        {
            "NOTIFY": "email govuk-notify",
            "NOTIFY_GOVUK_EMAIL_TEMPLATE": "one",
            "NOTIFY_SMTP": "mail",
            "NOTIFY_SMTP_USER": "us",
        },
        is_development=False,
    )

    for name in (
        "NOTIFY_START_PAGE is missing",
        "NOTIFY_GOVUK_KEY_FILE is missing",
        "NOTIFY_GOVUK_EMAIL_TEMPLATE must be",
        "NOTIFY_SMTP must be host:port",
        "NOTIFY_SENDER is missing",
        "NOTIFY_SMTP_PASSWORD_FILE and",
    ):
        assert PREFIX + name in said


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "NOTIFY is missing"),
        ({"NOTIFY": "pigeon"}, "NOTIFY must be"),
        ({"NOTIFY": "file file"}, "NOTIFY must be"),
        ({"NOTIFY": "file", "NOTIFY_START_PAGE": "http://vault.example/"}, "NOTIFY_START_PAGE"),
        ({"NOTIFY": "email", **MAIL, "NOTIFY_SMTP_TLS": "none"}, "NOTIFY_SMTP_TLS"),
        ({"NOTIFY": "email", **MAIL, "NOTIFY_SMTP_TLS": "off"}, "NOTIFY_SMTP_TLS"),
        ({"NOTIFY": "email", **MAIL, "NOTIFY_SENDER": "us"}, "NOTIFY_SENDER"),
        ({"NOTIFY": "email", **MAIL, "NOTIFY_SMTP": "mail:0"}, "NOTIFY_SMTP"),
        ({"NOTIFY": "email", **MAIL, "NOTIFY_SMTP_PASSWORD_FILE": ""}, "PASSWORD_FILE"),
        (
            {"NOTIFY": "govuk-notify", "NOTIFY_GOVUK_KEY_FILE": "secret-word"},
            "NOTIFY_GOVUK_KEY_FILE holds no API key",
        ),
        ({"NOTIFY": "govuk-notify", "NOTIFY_GOVUK_KEY_FILE": KEY}, "EMAIL_TEMPLATE is missing"),
        (
            {
                "NOTIFY": "govuk-notify",
                "NOTIFY_GOVUK_KEY_FILE": KEY,
                "NOTIFY_GOVUK_EMAIL_TEMPLATE": TEMPLATE,
                "NOTIFY_GOVUK_URL": "http://notify.example",
            },
            "NOTIFY_GOVUK_URL",
        ),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(
    tmp_path: Path, given: dict[str, str], named: str
) -> None:
    said = faults(tmp_path, given)

    assert named in said
    assert "secret-word" not in said


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        {
            "NOTIFY": "email govuk-notify",
            "NOTIFY_GOVUK_KEY_FILE": KEY,
            "NOTIFY_GOVUK_TEXT_TEMPLATE": TEMPLATE,
            "NOTIFY_SMTP_USER": "us",
            "NOTIFY_SMTP_PASSWORD_FILE": "pass-word",
            **MAIL,
        },
    )

    assert settings.mail is not None
    assert settings.mail.password == "pass-word"
    assert "pass-word" not in repr(settings)
    assert "22222222" not in repr(settings)


def test_the_default_of_notify_is_the_real_one(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        {
            "NOTIFY": "govuk-notify",
            "NOTIFY_GOVUK_KEY_FILE": KEY,
            "NOTIFY_GOVUK_EMAIL_TEMPLATE": TEMPLATE,
        },
    )

    assert settings.govuk is not None
    assert settings.govuk.url == "https://api.notifications.service.gov.uk"
