import dataclasses
import tomllib
from pathlib import Path

from s3proxy import config

EXAMPLE = Path(__file__).parent.parent / "deploy" / "s3proxy.toml"


def test_example_configuration_is_accepted_and_holds_the_defaults() -> None:
    assert config.load(EXAMPLE) == config.Config()


def test_example_configuration_names_every_key() -> None:
    tables = tomllib.loads(EXAMPLE.read_text())
    for name in ("server", "auth", "store", "log"):
        section = getattr(config.Config(), name)
        assert set(tables[name]) == {field.name for field in dataclasses.fields(section)}
