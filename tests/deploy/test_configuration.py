import dataclasses
import re
import tomllib
from pathlib import Path

from s3proxy import config

EXAMPLE = Path(__file__).parents[2] / "deploy" / "s3proxy.toml"
COMMENTED_KEY = re.compile(r"^# ([a-z_]+ = |\[\[?[a-z_]+\]\]?$)")


def keys_of(section: type) -> set[str]:
    return {field.name for field in dataclasses.fields(section)}


def with_commented_keys() -> str:
    return "\n".join(line[2:] if COMMENTED_KEY.match(line) else line for line in EXAMPLE.read_text().splitlines())


def test_example_configuration_is_accepted_and_holds_the_defaults() -> None:
    assert config.load(EXAMPLE) == config.Config()


def test_example_configuration_names_every_key() -> None:
    tables = tomllib.loads(with_commented_keys())
    assert set(tables) == keys_of(config.Config)
    for name in ("server", "auth", "store", "cache", "memory_tier", "disk_tier", "limits", "admin", "log"):
        assert set(tables[name]) == keys_of(type(getattr(config.Config(), name))), name
    assert set(tables["users"][0]) == keys_of(config.UserConfig)
    assert set(tables["mount"][0]) == keys_of(config.MountConfig)


def test_example_configuration_s_commented_keys_hold_the_defaults() -> None:
    tables = tomllib.loads(with_commented_keys())
    defaults = {field.name: field.default for field in dataclasses.fields(config.StoreConfig)}
    far = {name: tables["store"][name] for name in ("endpoint", "region", "addressing", "deadline_seconds")}
    assert far == {name: defaults[name] for name in far}
    mount = config.parse({"mount": tables["mount"]}).mount[0]
    assert mount == config.MountConfig(bucket="lake")
