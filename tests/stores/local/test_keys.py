"""The mapping of keys to paths: obvious where it can be, reversible and free of collisions everywhere."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from s3proxy.s3.model import Key
from s3proxy.stores.local import keys
from tests.stores.local.bucket import allowed_keys

L240 = "L" * 240


@pytest.mark.parametrize(
    ("key", "plain", "escaped"),
    [
        ("a", "a", ".%fa"),
        ("a/b", "a/b", "a/.%fb"),
        ("year=2024/part 0+ü?#.parquet", "year=2024/part 0+ü?#.parquet", "year=2024/.%fpart 0+ü?#.parquet"),
        (".hidden", ".hidden", ".%f.hidden"),
        ("...", "...", ".%f..."),
        ("100%", "100%", ".%f100%25"),
        ("dir/", None, "dir/.%f"),
        ("/", None, ".%/.%f"),
        ("a//b", "a/.%/b", "a/.%/.%fb"),
        (".", None, ".%f."),
        ("..", None, ".%f.."),
        ("a/../b", "a/.%d../b", "a/.%d../.%fb"),
        ("../../etc/passwd", ".%d../.%d../etc/passwd", ".%d../.%d../etc/.%fpasswd"),
        ("/etc/passwd", ".%/etc/passwd", ".%/etc/.%fpasswd"),
        ("nul\0", None, ".%fnul%00"),
        ("nul\0/b", ".%dnul%00/b", ".%dnul%00/.%fb"),
        (".%fa", None, ".%f.%25fa"),
        (".%/b", ".%d.%25/b", ".%d.%25/.%fb"),
        ("L" * 252, "L" * 252, ".%f" + "L" * 252),
        ("L" * 255, "L" * 255, f".%l{L240}/.%f" + "L" * 15),
        ("L" * 256, None, f".%l{L240}/.%f" + "L" * 16),
        ("L" * 256 + "/b", f".%l{L240}/.%d" + "L" * 16 + "/b", f".%l{L240}/.%d" + "L" * 16 + "/.%fb"),
        ("L" * 500, None, f".%l{L240}/.%l{L240}/.%f" + "L" * 20),
        ("é" * 128, None, f".%l{'é' * 120}/.%f" + "é" * 8),
        ("L" * 239 + "é" * 20, None, f".%l{'L' * 239}/.%f" + "é" * 20),
        ("\0" * 100, None, f".%l{'%00' * 80}/.%f" + "%00" * 20),
    ],
)
def test_places_of_follow_the_documented_mapping(key: str, plain: str | None, escaped: str) -> None:
    assert keys.places_of(Key(key)) == (plain, escaped)


@given(allowed_keys)
def test_key_at_is_the_inverse_of_both_places(key: Key) -> None:
    for place in keys.places_of(key):
        assert place is None or keys.key_at(place) == key


@given(
    st.lists(
        st.one_of(
            st.sampled_from([".%", ".%l" + L240, ".%lshort", ".%d..", ".%fa", "a"]),
            st.builds(
                str.__add__,
                st.sampled_from(["", ".%", ".%f", ".%d", ".%l"]),
                st.text(st.characters(exclude_characters="/\0"), max_size=8),
            ),
        ).filter(lambda name: name not in {"", ".", ".."}),
        min_size=1,
        max_size=4,
    ).map("/".join)
)
def test_key_at_any_path_is_a_key_only_when_the_key_has_that_place(path: str) -> None:
    key = keys.key_at(path)
    assert key is None or path in keys.places_of(key)


# gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg: no key names anything outside its bucket.
@given(allowed_keys)
def test_places_of_any_key_stay_in_the_bucket_and_fit_the_file_system(key: Key) -> None:
    for place in filter(None, keys.places_of(key)):
        assert len(place.encode()) <= 3600
        for name in place.encode().split(b"/"):
            assert name not in {b"", b".", b".."}
            assert b"\0" not in name
            assert len(name) <= 255


@given(allowed_keys, allowed_keys)
@settings(max_examples=300)
def test_places_of_two_keys_never_collide(one: Key, other: Key) -> None:
    assume(one != other)
    ones, others = set(keys.places_of(one)) - {None}, set(keys.places_of(other)) - {None}
    assert not ones & others
    escaped = keys.escaped_path(one)
    assert not any(str(place).startswith(f"{escaped}/") for place in others)


@pytest.mark.parametrize("key", ["\0/" * 512, "/" * 1024, "\0" * 1024, "./" * 512, "/" * 1023 + "\0", "😀" * 256])
def test_places_of_the_worst_keys_fit_a_path(key: str) -> None:
    assert len(keys.escaped_path(Key(key)).encode()) <= 3600


@pytest.mark.parametrize(
    ("name", "within"),
    [
        (".%", ""),
        (".%fx%41", ""),
        (".%fx%", ""),
        (".%lx", ""),
        (".%da", ""),
        ("caf\udce9", ""),
        (".%fcaf\udce9", ""),
        ("plain", f".%l{L240}/"),
        (".%fshort", ".%lx/"),
        (".%f", f".%l{L240}/"),
    ],
)
def test_file_segment_of_a_name_that_is_never_written_is_none(name: str, within: str) -> None:
    assert keys.file_segment(name, within) is None


@pytest.mark.parametrize(
    ("name", "within"),
    [(".%d", ""), (".%dplain", ""), (".%fa", ""), (".%d..%2e", ""), ("caf\udce9", ""), (".%", f".%l{L240}/")],
)
def test_directory_segment_of_a_name_that_is_never_written_is_none(name: str, within: str) -> None:
    assert keys.directory_segment(name, within) is None


@pytest.mark.parametrize("name", [".%lx%41", ".%lcaf\udce9"])
def test_long_directory_of_a_name_that_is_never_written_is_none(name: str) -> None:
    assert keys.long_directory(name) is None


def test_directory_path_of_a_prefix_is_where_its_keys_lie() -> None:
    assert keys.directory_path("") == "."
    assert keys.directory_path("a/b/") == "a/b"
    assert keys.directory_path("a//../") == "a/.%/.%d.."


@pytest.mark.parametrize(
    ("key", "allowed"), [("L" * 1024, True), ("L" * 1025, False), ("é" * 512, True), ("é" * 513, False)]
)
def test_is_allowed_counts_bytes(key: str, allowed: bool) -> None:
    assert keys.is_allowed(key) is allowed
