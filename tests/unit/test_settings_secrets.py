"""Sections of plugins: secrets come from where the file points to, and never show."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator
from sep_hooks.config import PluginConfig

from sep_core.runtime.settings import InvalidSettings
from sep_core.runtime.settings_secrets import PluginSection, Secrets, load_section

CANARY = "canary-5d1f-secret"


class Inner(BaseModel):
    token: SecretStr
    depth: int = 0


class Config(PluginConfig):
    rpc: tuple[SecretStr, ...] = ()
    api_key: SecretStr | None = None
    path: Path = Path("none")
    ratio: Decimal = Decimal(0)
    share: float = 0.0
    label: str = ""
    inner: Inner | None = None
    by_name: dict[str, SecretStr] = Field(default_factory=dict)
    count: int = 0

    @field_validator("label")
    @classmethod
    def _plain(cls, value: str) -> str:
        if "!" in value:
            raise ValueError(f"{value} has an exclamation mark")
        return value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secret = tmp_path / "secrets" / "key"
    secret.parent.mkdir()
    secret.write_text(CANARY + "\n")
    secret.chmod(0o600)
    return tmp_path


def load(folder: Path, rest: Mapping[str, object], **environ: str) -> PluginSection[Config]:
    secrets = Secrets(environ, folder)
    return load_section("venues.uni", rest, Config, secrets, source="sep.toml", folder=folder)  # type: ignore[arg-type]


def mistake(folder: Path, rest: Mapping[str, object], **environ: str) -> tuple[str, str]:
    with pytest.raises(InvalidSettings) as caught:
        load(folder, rest, **environ)
    (one,) = caught.value.mistakes
    assert CANARY not in str(caught.value)
    return one.pointer, one.text


def test_references_are_resolved_wherever_the_class_asks_for_a_secret(folder: Path) -> None:
    section = load(
        folder,
        {
            "rpc": [{"env": "URL"}, "http://127.0.0.1:8545"],
            "api_key": {"file": "secrets/key"},
            "inner": {"token": {"env": "URL"}, "depth": 2},
            "by_name": {"a": {"file": "secrets/key"}},
        },
        URL=CANARY + "-url",
    )
    config = section.config
    assert [one.get_secret_value() for one in config.rpc] == [CANARY + "-url", "http://127.0.0.1:8545"]
    assert config.api_key is not None
    assert config.api_key.get_secret_value() == CANARY
    assert config.inner is not None
    assert config.inner.token.get_secret_value() == CANARY + "-url"
    assert config.by_name["a"].get_secret_value() == CANARY
    assert CANARY not in repr(section)


def test_numbers_keep_their_digits_and_paths_start_at_the_file(folder: Path) -> None:
    config = load(folder, {"ratio": Decimal("0.30"), "share": Decimal("0.25"), "path": "keys/main"}).config
    assert str(config.ratio) == "0.30"
    assert config.share == 0.25
    assert config.path == folder / "keys" / "main"
    assert load(folder, {"path": "/absolute"}).config.path == Path("/absolute")


def test_the_digest_covers_references_and_never_values(folder: Path) -> None:
    by_env = load(folder, {"api_key": {"env": "KEY"}}, KEY="one").digest
    assert by_env == load(folder, {"api_key": {"env": "KEY"}}, KEY="two").digest
    assert by_env != load(folder, {"api_key": {"env": "OTHER"}}, OTHER="one").digest
    literal = load(folder, {"api_key": "one"}).digest
    assert literal == load(folder, {"api_key": "two"}).digest
    assert literal != by_env
    assert load(folder, {"count": 1}).digest != load(folder, {"count": 2}).digest


def test_a_missing_variable_is_named_and_nothing_else_is(folder: Path) -> None:
    pointer, text = mistake(folder, {"rpc": [{"env": "ABSENT"}]}, PRESENT=CANARY)
    assert (pointer, text) == ("venues.uni.rpc[0]", "the environment variable ABSENT is not set")
    assert "ABSENT" in mistake(folder, {"api_key": {"env": "ABSENT"}}, ABSENT="")[1]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_secret_file_that_others_can_reach_is_refused(folder: Path, mode: int) -> None:
    (folder / "secrets" / "key").chmod(mode)
    pointer, text = mistake(folder, {"api_key": {"file": "secrets/key"}})
    assert pointer == "venues.uni.api_key"
    assert f"{mode:04o}" in text
    assert "chmod 600" in text


def test_other_files_are_no_secrets(folder: Path) -> None:
    empty = folder / "empty"
    empty.touch(0o600)
    large = folder / "large"
    large.write_bytes(b"x" * 65537)
    large.chmod(0o600)
    binary = folder / "binary"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    for name, said in [
        ("absent", "cannot be read"),
        ("secrets", "no file"),
        ("empty", "is empty"),
        ("large", "too large"),
        ("binary", "not UTF-8"),
        ("/dev/zero", "no file"),
    ]:
        assert said in mistake(folder, {"api_key": {"file": name}})[1]


def test_a_reference_where_no_secret_belongs_is_refused(folder: Path) -> None:
    pointer, text = mistake(folder, {"label": {"env": "HOME"}}, HOME="/root")
    assert pointer == "venues.uni.label"
    assert "reference to a secret" in text
    assert mistake(folder, {"count": {"file": "secrets/key"}})[0] == "venues.uni.count"


def test_mistakes_of_a_plugins_section_are_named_by_key(folder: Path) -> None:
    assert mistake(folder, {"cuont": 1}) == ("venues.uni.cuont", "is no known key; did you mean 'count'?")
    assert mistake(folder, {"count": "many"})[0] == "venues.uni.count"
    assert mistake(folder, {"inner": {"depth": 1}}) == ("venues.uni.inner.token", "is missing")
    assert mistake(folder, {"rpc": [5]})[0] == "venues.uni.rpc[0]"
    with pytest.raises(InvalidSettings) as caught:
        load(folder, {"cuont": 1, "count": "many"})
    assert len(caught.value.mistakes) == 2


def test_a_validator_that_repeats_a_secret_is_silenced(folder: Path) -> None:
    rest = {"api_key": {"file": "secrets/key"}, "label": f"{CANARY}!"}
    pointer, text = mistake(folder, rest)
    assert pointer == "venues.uni.label"
    assert "***" in text


def test_known_secrets_are_blotted_out_of_any_text(folder: Path) -> None:
    secrets = Secrets({"URL": f"https://host/{CANARY}"}, folder)
    secrets.resolve({"env": "URL"})
    secrets.resolve({"file": "secrets/key"})
    assert secrets.redact(f"GET https://host/{CANARY} and {CANARY}") == "GET *** and ***"


def test_the_configuration_of_a_plugin_is_frozen(folder: Path) -> None:
    config = load(folder, {"count": 1}).config
    with pytest.raises(ValueError, match="frozen"):
        config.count = 2  # type: ignore[misc]
