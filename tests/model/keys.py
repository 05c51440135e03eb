"""Keys that S3 allows, the awkward ones more often than the plain."""

from hypothesis import strategies as st

from tests.model.reference import MAX_KEY_BYTES

PLAIN = (*("a", "b", "ab", "a.b", "a-", "dir", "data.csv", "data", "é", "日本", "😀"), *" +%&~A-\\;")
_ESCAPES = (".%", ".%f", ".%d", ".%l", ".%fa", ".%da", ".%f%25", "%2F", "%00", "%25", "..%2f", ".s3proxy")
_CONTROLS = ("\0", "\x01", "\n", "\r", "\r\n", "\x7f", "\x85", "\u2028", "\ufffe", "\uffff", "\ufeff")
_MARKUP = ("<", ">", '"', "'", "]]>", "&amp;")
_LONG = ("a" * 255, "a" * 256, "é" * 127, "é" * 128, "日" * 85, "日" * 86, "%" * 130, "b" * 500, "\0" * 100)
_AWKWARD = ("", ".", "..", "...", *_ESCAPES, *_CONTROLS, *_MARKUP, *_LONG)
_LONGEST = ("k" * 1024, "d/" * 512, "é" * 512, "/" * 1024, "." * 1024, "a/" + "b" * 1022, "\0" * 1024)

_segments = st.one_of(
    st.sampled_from(PLAIN),
    st.sampled_from(PLAIN[:4]),
    st.sampled_from(_AWKWARD),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)
_near = st.sampled_from(["a", "b", "", ".", "a-", "a."])


def _joined(segments: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    keys = st.lists(segments, min_size=1, max_size=most).map("/".join)
    return keys.filter(lambda key: 0 < len(key.encode()) <= MAX_KEY_BYTES)


_keys = st.one_of(_joined(_near, 3), _joined(_near, 3), _joined(_segments, 4), st.sampled_from(_LONGEST))
_paths = _joined(st.sampled_from(PLAIN[:6]), 3)
_usual = st.sampled_from(["a", "a/", "/", "b", "a/b", "//", ".", "..", "é"])
_texts = st.one_of(st.just(""), _usual, _keys.map(lambda key: key[:3]), _keys)

# Composites, because hypothesis writes out every strategy that is not, which for these would be pages.


@st.composite
def keys(draw: st.DrawFn) -> str:
    """Any key; half of them from so few segments that most are prefixes, or directories, of others."""
    return draw(_keys)


@st.composite
def paths(draw: st.DrawFn) -> str:
    """What file-system programs name their files."""
    return draw(_paths)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """For prefixes and markers: often the start of a key, often nothing."""
    return draw(_texts)


DELIMITERS = st.sampled_from(["", "", "/", "/", "/", "a", "//", ".", "a/", "é", "-", "%", "/a"])
