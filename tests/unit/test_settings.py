"""Settings: all bad values at once, each with what is wrong."""

import pytest

from app.errors import SettingsError
from app.settings import SETTINGS, load_settings


def test_all_bad_values_are_reported_together() -> None:
    environment = {"ENGINE_PORT": "many", "REDIS_TIMEOUT_S": "0", "LOG_LEVEL": "loud", "REALM": "a b"}
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    message = str(caught.value)
    assert "ENGINE_PORT='many' is not a whole number" in message
    assert "REDIS_TIMEOUT_S='0' is not a number from 0.1 up" in message
    assert "LOG_LEVEL='loud' is not one of DEBUG, INFO, WARNING, ERROR" in message
    assert "REALM='a b'" in message


@pytest.mark.parametrize("text", ["nan", "inf", "-1", ""])
def test_a_number_that_bounds_nothing_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        load_settings({"REDIS_TIMEOUT_S": text})


def test_what_the_environment_gave_is_known() -> None:
    settings = load_settings({"REDIS_URL": "redis://elsewhere/0", "UNRELATED": "x"})
    assert settings.given == {"redis_url"}
    assert settings.redis_url == "redis://elsewhere/0"


def test_every_setting_has_a_help_text() -> None:
    assert [item.name for item in SETTINGS if len(item.metadata["help"]) < 10] == []


def test_names_may_not_stay_in_kafka_beyond_the_day_by_which_they_are_forgotten() -> None:
    assert load_settings({"FORGET_WITHIN_DAYS": "8"}).kafka_retention_hours == 168
    with pytest.raises(SettingsError, match=r"KAFKA_RETENTION_HOURS=168 .* FORGET_WITHIN_DAYS=7"):
        load_settings({"FORGET_WITHIN_DAYS": "7"})
    # what the brokers are set to is not known here
    assert load_settings({"FORGET_WITHIN_DAYS": "2", "KAFKA_RETENTION_HOURS": "0"}).forget_within_days == 2
