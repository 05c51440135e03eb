"""Tables as TOML has them into the dataclasses of ``sections``, each value checked by itself; and back to text."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from s3proxy.config.errors import ConfigError
from s3proxy.config.sections import KEYS_OF_KIND, Config, Limit, StoreConfig
from s3proxy.config.sizes import parse_size

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_T = TypeVar("_T", bound="DataclassInstance")

_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
}
_SECRETS = ("secret_key", "token")


def parse(tables: dict[str, Any]) -> Config:
    """Turn the tables of a TOML document into a ``Config``, each value checked by itself.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type or out of its limits.
    """
    kinds = get_type_hints(Config)
    _refuse_unknown(tables, set(kinds), "")
    sections: dict[str, Any] = {name: _section(kinds[name], table, name) for name, table in tables.items()}
    return Config(**sections)


def dump(config: Config) -> str:
    """The text of a configuration, secrets included: what ``undump`` takes, for processes of one node."""
    return json.dumps(dataclasses.asdict(config) | {"store": _given(config.store), "stores": _all(config.stores)})


def undump(text: str) -> Config:
    """The configuration that ``dump`` was given.

    Raises:
        ConfigError: it was given none.
    """
    return parse(json.loads(text))


def _all(stores: tuple[StoreConfig, ...]) -> list[dict[str, Any]]:
    return [_given(store) for store in stores]


def _given(store: StoreConfig) -> dict[str, Any]:
    foreign = _foreign_keys(store.kind)
    return {name: value for name, value in dataclasses.asdict(store).items() if name not in foreign}


def _section(kind: Any, content: object, name: str) -> object:  # noqa: ANN401 (a type hint)
    if get_origin(kind) is not tuple:
        if not isinstance(content, dict):
            raise ConfigError(f"{name}: must be a table, [{name}]")
        return _table(kind, content, name)
    if not isinstance(content, list) or not all(isinstance(table, dict) for table in content):
        raise ConfigError(f"{name}: must be an array of tables, [[{name}]]")  # what it is may hold a secret
    return tuple(_table(get_args(kind)[0], table, f"{name}[{index}]") for index, table in enumerate(content))


def _table(kind: type[_T], table: dict[str, Any], path: str) -> _T:
    fields = {each.name: each for each in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    _refuse_unknown(table, set(fields), f"{path}.")
    values = {
        name: _value(f"{path}.{name}", value, hints[name], fields[name].metadata.get("limit"))
        for name, value in table.items()
    }
    for name, each in fields.items():
        if each.default is dataclasses.MISSING and name not in values:
            raise ConfigError(f"{path}.{name}: is missing")
    made = kind(**values)
    if isinstance(made, StoreConfig):
        _refuse_foreign(table, made.kind, path)
    return made


def _refuse_unknown(table: dict[str, Any], known: set[str], path: str) -> None:
    for name in table:
        if name not in known:
            raise ConfigError(f"{path}{name}: is not a key; allowed are {', '.join(sorted(known))}")


def _refuse_foreign(table: dict[str, Any], kind: str, path: str) -> None:
    for name in table:
        if name in _foreign_keys(kind):
            raise ConfigError(
                f'{path}.{name}: means nothing to a store with kind = "{kind}", whose keys are '
                f"{', '.join(sorted(KEYS_OF_KIND[kind] | {'kind', 'read_only'}))}"
            )


def _foreign_keys(kind: str) -> frozenset[str]:
    return frozenset[str]().union(*(keys for other, keys in KEYS_OF_KIND.items() if other != kind))


def _value(path: str, value: object, hint: Any, limit: Limit | None) -> object:  # noqa: ANN401 (a type hint)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if value not in choices:
            raise ConfigError(f"{path} = {_shown(path, value)}: must be one of {', '.join(map(repr, choices))}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{path} = {value!r}: must be an array of strings")
        return tuple(value)
    if limit is not None and limit.is_size:
        value = _read_size(path, value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise ConfigError(f"{path} = {_shown(path, value)}: must be {_NAMES[hint]}")
    if limit is not None and isinstance(value, int | float) and not limit.least <= value <= limit.most:
        raise ConfigError(f"{path} = {value}: must be from {limit.least:g} to {limit.most:g}")
    return value


def _read_size(path: str, value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_size(value)
        except ValueError as error:
            raise ConfigError(f"{path} = {error}") from error
    if type(value) is not int:
        raise ConfigError(f'{path} = {value!r}: must be a whole number of bytes, or a size like "512 MiB"')
    return value


def _shown(path: str, value: object) -> str:
    return "(not shown)" if path.endswith(_SECRETS) else repr(value)
