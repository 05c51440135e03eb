import dataclasses
import json
import re
import tomllib
from pathlib import Path

from s3proxy import config

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLE = DEPLOY / "s3proxy.toml"
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


def test_configuration_of_a_node_in_a_cluster_is_accepted() -> None:
    loaded = config.load(DEPLOY / "node.toml")
    assert (loaded.memory_tier.directory, loaded.disk_tier.directory) == (
        "/var/cache/s3proxy/memory",
        "/var/cache/s3proxy/disk",
    )


# The image


def instructions(name: str) -> list[str]:
    """The arguments of an instruction of the last stage."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    return re.findall(rf"^{name} +(.*)$", stage, re.MULTILINE)


def test_image_starts_the_node_as_nobody_in_particular() -> None:
    assert instructions("USER") == ["10001:10001"]
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["/opt/s3proxy/current/bin/python", "-P", "-m", "s3proxy"]
    assert json.loads(instructions("CMD")[0]) == ["serve", "--config", "/etc/s3proxy/s3proxy.toml"]


def test_image_holds_nothing_to_build_with() -> None:
    assert instructions("COPY") == ["--from=build /opt/s3proxy /opt/s3proxy"]
    assert all("pip" not in command and "apt" not in command for command in instructions("RUN"))


def test_image_asks_the_node_for_its_health_where_it_listens() -> None:
    asked = re.search(r"http://([0-9.:]+)/livez", instructions("HEALTHCHECK")[0])
    assert asked is not None
    assert asked[1] == config.AdminConfig().listen
