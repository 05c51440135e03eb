"""Where a key lies below its bucket's directory: the document of record, and the code that follows it.

A file-system program finds ``reports/2024.csv`` at that path. Keys that a file system cannot hold are escaped.

1. A key is split at "/" into segments: all but the last name directories, the last names the file.
2. A segment is *plain* when it is not "", "." or "..", holds no NUL, does not start with ``.%`` and has at most
   255 UTF-8 bytes. A plain segment is stored as itself.
3. Any other segment is stored behind a prefix that no plain one has. Its payload is the segment with "%" written
   ``%25`` and NUL written ``%00``:

       .%f PAYLOAD   a file                       dir/    is  dir/.%f
       .%d PAYLOAD   a directory                  a/../b  is  a/.%d../b
       .%            the directory named ""       a//b    is  a/.%/b
       .%l PAYLOAD   a directory for the first characters of a segment whose own name would exceed 255 bytes: as many
                     whole characters as have a payload of at most 240 bytes. The rest of the segment lies in it under
                     one of ``.%f``, ``.%d``, ``.%l``, whatever it is.

4. Beside the directory ``a`` of the key ``a/b`` there is no room for a file ``a``. So every key with a plain last
   segment has a second place: the escaped file form of that segment (``.%fa``). Where a regular file stands at both,
   the plain one is the object.
5. A name that this encoding never writes (``.%dplain``, ``.%fx%41``, a plain name in a ``.%l`` directory), that is not
   UTF-8, or whose key has more than 1,024 bytes is no key: it is neither listed nor found. Nor is anything but a
   regular file.

No two keys share a place, and no key's escaped place is a directory of another key. Paths have at most 3,600 bytes.
"""

import re

from s3proxy.s3.model import Key

MAX_KEY_BYTES = 1024
ESCAPE = ".%"
LONG = ".%l"

_NAME_MAX = 255
_CHUNK_MAX = 240  # payload bytes in a .%l name; leaves room below 255 so that the rest of a segment is never empty
_AWKWARD = re.compile(r"(?:^|/)(?:\.{0,2}(?:/|\Z)|\.%)|\0")
_ESCAPE_SEQUENCE = re.compile(r"%(?:25|00)")


def is_plain(segment: str) -> bool:
    """Whether a segment is stored as itself."""
    return not _AWKWARD.search(segment) and (len(segment) <= _NAME_MAX // 4 or len(segment.encode()) <= _NAME_MAX)


def is_allowed(key: str) -> bool:
    """Whether a key is short enough for S3."""
    return len(key) <= MAX_KEY_BYTES // 4 or len(key.encode()) <= MAX_KEY_BYTES


def _payload(segment: str) -> str:
    return segment.replace("%", "%25").replace("\0", "%00")


def _first_chunk(segment: str) -> str:
    size = 0
    for position, character in enumerate(segment):
        size += len(_payload(character).encode())
        if size > _CHUNK_MAX:
            return segment[:position]
    return segment


def _escaped(segment: str, prefix: str) -> str:
    name = prefix + _payload(segment)
    if len(name.encode()) <= _NAME_MAX:
        return name
    chunk = _first_chunk(segment)
    return f"{long_name(chunk)}/{_escaped(segment[len(chunk) :], prefix)}"


def file_place(segment: str) -> str:
    """The escaped place of the file that ``segment`` names: a name, or a path through ``.%l`` directories."""
    return _escaped(segment, ".%f")


def directory_place(segment: str) -> str:
    """The place of the directory that ``segment`` names: a name, or a path through ``.%l`` directories."""
    if is_plain(segment):
        return segment
    return _escaped(segment, ".%d") if segment else ESCAPE


def directory_path(prefix: str) -> str:
    """The path of the directory that holds the keys of ``prefix``, which is empty or ends with "/"."""
    if not prefix:
        return "."
    if _is_all_plain(prefix[:-1]):
        return prefix[:-1]
    return "/".join(map(directory_place, prefix[:-1].split("/")))


def _is_all_plain(key: str) -> bool:
    if _AWKWARD.search(key):
        return False
    return len(key) <= _NAME_MAX // 4 or all(len(name) <= _NAME_MAX for name in key.encode().split(b"/"))


def plain_path(key: Key) -> str | None:
    """The obvious path of a key; None when its last segment is not plain."""
    if _is_all_plain(key):
        return key
    prefix, slash, segment = key.rpartition("/")
    return _below(prefix + slash, segment) if is_plain(segment) else None


def escaped_path(key: Key) -> str:
    """The path that is a key's only place, or its second one."""
    prefix, slash, segment = key.rpartition("/")
    return _below(prefix + slash, file_place(segment))


def _below(prefix: str, place: str) -> str:
    return f"{directory_path(prefix)}/{place}" if prefix else place


def places_of(key: Key) -> tuple[str | None, str]:
    """A key's plain path, if it has one, and its escaped path."""
    return plain_path(key), escaped_path(key)


def key_at(path: str) -> Key | None:
    """The key of a regular file at ``path``, the inverse of ``places_of``; None when that is no key's place."""
    *parents, name = path.split("/")
    segments: list[str | None] = []
    within = ""
    for parent in parents:
        if parent.startswith(LONG):
            within += f"{parent}/"
        else:
            segments.append(directory_segment(parent, within))
            within = ""
    segments.append(file_segment(name, within))
    known = [segment for segment in segments if segment is not None]
    return Key("/".join(known)) if len(known) == len(segments) else None


def file_segment(name: str, within: str = "") -> str | None:
    """The segment of a regular file found under ``name``, the inverse of both of its places.

    Args:
        name: as read from the directory, other bytes than UTF-8 as lone surrogates.
        within: the path through ``.%l`` directories in which it was found, ending with "/".

    Returns:
        None when the name is no key's.
    """
    if not _is_text(name):
        return None
    if not within and is_plain(name):
        return name
    segment = chunk_of(within) + _unescaped(name)
    return segment if file_place(segment) == within + name else None


def directory_segment(name: str, within: str = "") -> str | None:
    """The segment of a directory found under ``name``, the inverse of ``directory_place``.

    A ``.%l`` directory holds the rest of a segment and is none itself. Arguments and None as for ``file_segment``.
    """
    if not _is_text(name):
        return None
    if not within and is_plain(name):
        return name
    segment = "" if name == ESCAPE else chunk_of(within) + _unescaped(name)
    return segment if directory_place(segment) == within + name else None


def long_directory(name: str, within: str = "") -> str | None:
    """The characters that begin every segment in the ``.%l`` directory ``name``; None when it holds no key."""
    if not _is_text(name):
        return None
    rest = _unescaped(name)
    return chunk_of(within) + rest if long_name(rest) == name else None


def long_name(chunk: str) -> str:
    """The name of the ``.%l`` directory for one chunk of a segment."""
    return LONG + _payload(chunk)


def chunk_of(within: str) -> str:
    """The characters that begin every segment in a ``.%l`` directory, given the path to it, ending with "/"."""
    return "".join(map(_unescaped, within.split("/")))


def _unescaped(name: str) -> str:
    return _ESCAPE_SEQUENCE.sub(lambda match: "%" if match[0] == "%25" else "\0", name[len(LONG) :])


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
