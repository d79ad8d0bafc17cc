"""Settings: typed values from the environment; one error lists all invalid ones."""

import base64
from pathlib import Path

import pytest

from services.kit.secret_values import DEMO_MARK, Key, Secret, weaknesses
from services.kit.settings import (
    SettingsError,
    check_secrets,
    read_settings,
    refuse_production,
    require_settings,
    run_program,
    settings_class,
    values_of,
)


@settings_class
class Example:
    """One field of each kind."""

    example_address: str
    example_count: int
    example_delays: tuple[float, ...] = (1, 2)
    example_strict: bool = False


@settings_class
class Guarded:
    """Secret settings."""

    guarded_uri: Secret
    guarded_key: Key


GOOD_KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture(autouse=True)
def _forget_settings() -> None:
    read_settings.cache_clear()


def test_fields_are_read_from_the_variables_of_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_ADDRESS", "here")
    monkeypatch.setenv("EXAMPLE_COUNT", "3")
    monkeypatch.setenv("EXAMPLE_DELAYS", "0.1,5")
    monkeypatch.setenv("EXAMPLE_STRICT", "yes")
    assert read_settings(Example) == Example("here", 3, (0.1, 5.0), True)


def test_what_is_not_set_keeps_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_ADDRESS", "here")
    monkeypatch.setenv("EXAMPLE_COUNT", "3")
    monkeypatch.setenv("EXAMPLE_DELAYS", "")
    assert read_settings(Example).example_delays == (1, 2)


def test_all_that_is_missing_or_wrong_is_named_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_COUNT", "three")
    monkeypatch.setenv("EXAMPLE_STRICT", "perhaps")
    with pytest.raises(SettingsError, match=r"EXAMPLE_ADDRESS is not set.*EXAMPLE_COUNT.*EXAMPLE_STRICT"):
        read_settings(Example)


def test_a_secret_is_read_from_the_file_that_is_named_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(f"{GOOD_KEY}\n")
    monkeypatch.setenv("GUARDED_URI", "amqp://someone:password@broker/cards")
    monkeypatch.setenv("GUARDED_KEY_FILE", str(tmp_path / "key"))
    assert read_settings(Guarded).guarded_key == GOOD_KEY


def test_what_is_no_secret_is_not_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "address").write_text("here")
    monkeypatch.setenv("EXAMPLE_ADDRESS_FILE", str(tmp_path / "address"))
    monkeypatch.setenv("EXAMPLE_COUNT", "3")
    with pytest.raises(SettingsError, match="EXAMPLE_ADDRESS is not set"):
        read_settings(Example)


def test_files_that_give_no_secret_are_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    monkeypatch.setenv("GUARDED_URI_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GUARDED_KEY_FILE", str(tmp_path / "empty"))
    with pytest.raises(SettingsError, match=r"GUARDED_URI_FILE cannot be read.*GUARDED_KEY_FILE names an empty file"):
        read_settings(Guarded)


def test_a_secret_given_in_both_ways_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(OTHER_KEY)
    monkeypatch.setenv("GUARDED_URI", "amqp://")
    monkeypatch.setenv("GUARDED_KEY", GOOD_KEY)
    monkeypatch.setenv("GUARDED_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(SettingsError, match="GUARDED_KEY and GUARDED_KEY_FILE are both set"):
        read_settings(Guarded)


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(Guarded(Secret("amqp://someone:password@broker"), Key(GOOD_KEY)))
    assert "password" not in shown
    assert GOOD_KEY not in shown


@pytest.mark.parametrize(
    ("key", "flaw"),
    [
        (GOOD_KEY, None),
        (f"k2:{GOOD_KEY},k1:{OTHER_KEY}", None),
        ("thirty-two characters - no base64", None),
        ("too short", "KEY is shorter than 32 bytes"),
        (base64.b64encode(bytes(31)).decode(), "KEY is shorter than 32 bytes"),
        (f"k2:{GOOD_KEY},k1:c2hvcnQ=", "KEY is shorter than 32 bytes"),
        (f"k2:{GOOD_KEY},k1:{DEMO_MARK}{GOOD_KEY[8:]}", "KEY is a secret of the demo"),
    ],
)
def test_a_key_is_long_and_not_the_demos(key: str, flaw: str | None) -> None:
    assert weaknesses([("KEY", Key(key))]) == ([flaw] if flaw else [])


def test_the_password_of_an_address_is_not_the_demos() -> None:
    assert weaknesses([("URI", Secret("amqp://membership:password@broker/cards"))]) == []
    assert weaknesses([("URI", Secret(f"amqp://membership:{DEMO_MARK}0123@broker/cards"))]) == [
        "URI is a secret of the demo"
    ]


def test_one_secret_is_not_for_two_purposes() -> None:
    keys = [("ONE", Key(f"k1:{GOOD_KEY}")), ("TWO", Key(OTHER_KEY)), ("THREE", Key(GOOD_KEY))]
    assert weaknesses(keys) == ["THREE is the same secret as ONE"]


def test_production_refuses_a_weak_secret_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDED_URI", "amqp://")
    monkeypatch.setenv("GUARDED_KEY", "too short")
    monkeypatch.delenv("ENVIRONMENT")
    with pytest.raises(SettingsError, match="GUARDED_KEY is shorter"):
        read_settings(Guarded)


def test_production_refuses_one_secret_in_two_kinds_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AUDIT_KEYS", "BLIND_INDEX_KEY", "PERSONAL_DATA_KEYS", "BANK_HMAC_KEY", "SESSION_SECRET"):
        # Those of other tests are none for production.
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GUARDED_KEY", GOOD_KEY)
    monkeypatch.setenv("ENVIRONMENT", "production")
    check_secrets()
    monkeypatch.setenv("GUARDED_URI", f"amqp://someone:{GOOD_KEY}@broker")
    with pytest.raises(SettingsError, match="GUARDED_KEY is the same secret as GUARDED_URI"):
        check_secrets()


def test_demos_and_tests_may_have_what_secrets_they_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDED_URI", "amqp://")
    monkeypatch.setenv("GUARDED_KEY", "too short")
    monkeypatch.setenv("ENVIRONMENT", "demo")
    check_secrets()
    assert read_settings(Guarded).guarded_key == "too short"


def test_an_environment_that_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    with pytest.raises(SettingsError, match="production, demo, test"):
        check_secrets()


def test_what_is_for_demonstrations_ends_where_nobody_says_that_this_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_production("the demo")
    monkeypatch.delenv("ENVIRONMENT")
    with pytest.raises(SystemExit, match="the demo"):
        refuse_production("the demo")


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        ("amqps://someone:password@broker/cards", True),
        ("amqp://someone:password@broker/cards", False),
        ("amqp://someone:password@127.0.0.1:5672/cards", True),
        ("amqp://someone:password@[::1]/cards", True),
        ("http://registry.example/", False),
        ("https://registry.example/", True),
        ("http://localhost:9000/", True),
        ("http://localhost.example/", False),
        ("postgresql://someone:password@database/cards", False),
        ("postgresql://someone:password@database/cards?sslmode=require", False),
        ("postgresql://someone:password@database/cards?sslmode=verify-full&sslrootcert=/ca.pem", True),
        ("postgresql:///cards?host=/var/run/postgresql", True),
    ],
)
def test_production_speaks_to_other_machines_by_tls_alone(
    monkeypatch: pytest.MonkeyPatch, address: str, is_taken: bool
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("GUARDED_URI", address)
    monkeypatch.setenv("GUARDED_KEY", GOOD_KEY)
    if is_taken:
        assert read_settings(Guarded).guarded_uri == address
    else:
        with pytest.raises(SettingsError, match="GUARDED_URI is not encrypted"):
            read_settings(Guarded)


def test_a_mesh_that_encrypts_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("ALLOW_PLAIN_CONNECTIONS", "yes")
    monkeypatch.setenv("GUARDED_URI", "amqp://someone:password@broker/cards")
    monkeypatch.setenv("GUARDED_KEY", GOOD_KEY)
    assert read_settings(Guarded).guarded_uri == "amqp://someone:password@broker/cards"


def test_values_of_variables_come_from_their_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file\n")
    monkeypatch.setenv("EXAMPLE_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("EXAMPLE_NAME", "plain")
    assert values_of("EXAMPLE_PASSWORD", "EXAMPLE_NAME") == {"EXAMPLE_PASSWORD": "from a file", "EXAMPLE_NAME": "plain"}


def test_all_variables_that_a_program_lacks_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match="EXAMPLE_PASSWORD is not set; EXAMPLE_NAME is not set"):
        values_of("EXAMPLE_PASSWORD", "EXAMPLE_NAME")


def test_what_several_classes_lack_is_named_in_one_error() -> None:
    with pytest.raises(SettingsError) as caught:
        require_settings([Example, Guarded])
    assert str(caught.value).count("Settings in the environment: ") == 1
    for variable in ("EXAMPLE_ADDRESS", "EXAMPLE_COUNT", "GUARDED_URI", "GUARDED_KEY"):
        assert f"{variable} is not set" in str(caught.value)


def test_a_program_without_its_settings_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_program(lambda: len(values_of("EXAMPLE_PASSWORD")))
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == "Settings in the environment: EXAMPLE_PASSWORD is not set."
