"""The state machines: whatever happens to a bucket, through S3 or behind its back, it answers like the reference."""

import itertools
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.model import keys
from tests.model.client import BucketClient
from tests.model.reference import Bucket, Query, Stored, listed, md5, multipart_etag
from tests.server import Server
from tests.wire import Answer

BODIES = st.binary(max_size=40)
VALUES = st.text("abc 123%é", min_size=1, max_size=5).map(str.strip)
METADATA = st.dictionaries(st.sampled_from(["a", "b-c", "x"]), VALUES, max_size=2)
TAG_NAMES = st.text("abé =:/+", min_size=1, max_size=3).map(str.strip).filter(bool)
TAGS = st.dictionaries(TAG_NAMES, st.text("ab é+", max_size=3), max_size=3)
QUERIES = st.builds(
    Query,
    prefix=keys.texts(),
    delimiter=keys.DELIMITERS,
    after=keys.texts(),
    max_keys=st.sampled_from([0, 1, 2, 3, 1000, 5000]),
)
DIALECTS = st.sampled_from(["1", "2", "versions"])

_names = (f"bucket-{number}" for number in itertools.count())


class BucketMachine(RuleBasedStateMachine):
    """A bucket that is used through S3 only. ``server`` is set on a subclass."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.client = BucketClient(self.server.port, next(_names))
        assert self.client.ask("PUT", None).status == 200
        self.bucket = Bucket()

    def teardown(self) -> None:
        is_empty = not self.bucket.keys
        assert self.client.ask("DELETE", None).status == (204 if is_empty else 409)
        self.client.close()

    def pick(self, data: st.DataObject) -> str:
        """A key: often one that exists."""
        existing = sorted(self.bucket.keys)
        is_there = bool(existing) and data.draw(st.booleans())
        return data.draw(st.sampled_from(existing) if is_there else keys.keys())

    # Writing

    @rule(key=keys.keys(), body=BODIES, metadata=METADATA, tags=TAGS)
    def put(self, key: str, body: bytes, metadata: dict[str, str], tags: dict[str, str]) -> None:
        tagging = "&".join(f"{quote(name)}={quote(value)}" for name, value in tags.items())
        headers = _metadata_headers(metadata) | ({"x-amz-tagging": tagging} if tags else {})
        answer = self.client.ask("PUT", key, body=body, headers=headers)
        assert answer.status == 200, answer
        assert _etag(answer) == md5(body)
        self.bucket.put(key, Stored(body, md5(body), metadata, tags))

    @rule(data=st.data(), body=BODIES)
    def put_if(self, data: st.DataObject, body: bytes) -> None:
        key = self.pick(data)
        stored = self.bucket.get(key)
        if data.draw(st.booleans()):
            answer = self.client.ask("PUT", key, body=body, headers={"if-none-match": "*"})
            expected = 200 if stored is None else 412
        else:
            claimed = data.draw(st.sampled_from([md5(body), stored.etag or "x" if stored else "x"]))
            answer = self.client.ask("PUT", key, body=body, headers={"if-match": f'"{claimed}"'})
            expected = 404 if stored is None else 200 if stored.etag == claimed else 412
        assert answer.status == expected, answer
        if expected == 200:
            self.bucket.put(key, Stored(body, md5(body)))

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        key = self.pick(data)
        assert self.client.ask("DELETE", key).status == 204
        self.bucket.delete(key)

    @rule(data=st.data())
    def delete_many(self, data: st.DataObject) -> None:
        chosen = [key for key in [self.pick(data) for _ in range(3)] if _is_xml(key)]
        if chosen:
            answer = self.client.delete_many(chosen)
            assert (answer.status, b"<Error>" in answer.body) == (200, False), answer
        for key in chosen:
            self.bucket.delete(key)

    @rule(data=st.data(), destination=keys.keys(), metadata=st.none() | METADATA)
    def copy(self, data: st.DataObject, destination: str, metadata: dict[str, str] | None) -> None:
        source = self.pick(data)
        stored = self.bucket.get(source)
        headers = {"x-amz-copy-source": quote(f"/{self.client.bucket}/{source}", safe="")}
        if metadata is not None:
            headers |= _metadata_headers(metadata) | {"x-amz-metadata-directive": "REPLACE"}
        answer = self.client.ask("PUT", destination, headers=headers)
        if source == destination and metadata is None:
            assert answer.status == 400, answer
        elif stored is None:
            assert answer.status == 404, answer
        else:
            assert answer.status == 200, answer
            etag = answer.text("ETag").replace("&quot;", "").strip('"')
            assert etag in {stored.etag, md5(stored.body)} or stored.etag is None
            kept = stored.metadata if metadata is None else metadata
            self.bucket.put(destination, Stored(stored.body, etag, kept, stored.tags))

    @rule(key=keys.keys(), parts=st.lists(BODIES.filter(bool), min_size=1, max_size=4), data=st.data())
    def multipart(self, key: str, parts: list[bytes], data: st.DataObject) -> None:
        metadata = data.draw(METADATA)
        created = self.client.ask("POST", key, "?uploads", headers=_metadata_headers(metadata))
        assert created.status == 200, created
        query = f"uploadId={created.text('UploadId')}"
        numbers = data.draw(st.lists(st.integers(1, 10_000), min_size=len(parts), max_size=len(parts), unique=True))
        for number, part in zip(numbers, parts, strict=True):
            answer = self.client.ask("PUT", key, f"?partNumber={number}&{query}", part)
            assert (answer.status, _etag(answer)) == (200, md5(part)), answer
        uploaded = sorted(zip(numbers, parts, strict=True))
        chosen = data.draw(st.lists(st.sampled_from(uploaded), unique=True).map(sorted))
        if not chosen:
            assert self.client.ask("DELETE", key, f"?{query}").status == 204
            return
        listing = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{md5(part)}"</ETag></Part>' for number, part in chosen
        )
        document = f"<CompleteMultipartUpload>{listing}</CompleteMultipartUpload>".encode()
        etag = multipart_etag([part for _, part in chosen])
        for _ in range(data.draw(st.sampled_from([1, 1, 2]))):  # a retry answers the same
            answer = self.client.ask("POST", key, f"?{query}", document)
            assert (answer.status, etag in answer.text("ETag")) == (200, True), answer
        self.bucket.put(key, Stored(b"".join([part for _, part in chosen]), etag, metadata))

    @rule(data=st.data(), tags=TAGS)
    def tag(self, data: st.DataObject, tags: dict[str, str]) -> None:
        key = self.pick(data)
        if self.bucket.get(key) is None:
            assert self.client.put_tags(key, tags).status == 404
            assert self.client.ask("GET", key, "?tagging").status == 404
        elif tags:
            assert self.client.put_tags(key, tags).status == 200
            self.bucket.tag(key, tags)
        else:
            assert self.client.ask("DELETE", key, "?tagging").status == 204
            self.bucket.tag(key, {})

    # Reading

    @rule(data=st.data())
    def get(self, data: st.DataObject) -> None:
        key = self.pick(data)
        stored = self.bucket.get(key)
        answer, head = self.client.ask("GET", key), self.client.ask("HEAD", key)
        if stored is None:
            assert (answer.status, answer.code, head.status) == (404, "NoSuchKey", 404)
            return
        assert (answer.status, answer.body, head.status) == (200, stored.body, 200)
        assert head.header(b"content-length") == b"%d" % len(stored.body)
        for each in (answer, head):
            assert _etag(each) == stored.etag if stored.etag is not None else "-" in _etag(each)
            assert _metadata_of(each) == stored.metadata
        assert answer.header(b"x-amz-tagging-count") == (b"%d" % len(stored.tags) if stored.tags else None)
        assert self.client.tags(key) == stored.tags

    @rule(data=st.data(), first=st.integers(0, 45), last=st.none() | st.integers(0, 45))
    def get_range(self, data: st.DataObject, first: int, last: int | None) -> None:
        key = self.pick(data)
        stored = self.bucket.get(key)
        if stored is None or (last is not None and last < first):
            return
        answer = self.client.ask("GET", key, headers={"range": f"bytes={first}-{'' if last is None else last}"})
        expected = stored.body[first : None if last is None else last + 1]
        assert (answer.status, answer.body if expected else b"") == (206 if expected else 416, expected), answer

    @rule(query=QUERIES, dialect=DIALECTS, data=st.data())
    def list_objects(self, query: Query, dialect: str, data: st.DataObject) -> None:
        encode, owner = data.draw(st.booleans()), data.draw(st.booleans())
        listing = self.client.list_objects(dialect, query, encode=encode, owner=owner)
        after_is_prefix = False if dialect == "2" else None
        assert listing.page == listed(self.bucket.keys, query, after_is_prefix=after_is_prefix)
        assert listing.echoed.get("Prefix", "") == query.prefix
        assert listing.echoed.get("Delimiter", "") == query.delimiter

    @rule(query=QUERIES, dialect=DIALECTS, encode=st.booleans())
    def walk(self, query: Query, dialect: str, encode: bool) -> None:
        """Pages that continue each other give every entry once."""
        size = max(1, query.max_keys)
        whole = listed(self.bucket.keys, Query(prefix=query.prefix, delimiter=query.delimiter))
        found_keys, found_prefixes = [], []
        after, token = "", None
        for _ in range(len(whole.keys) + len(whole.prefixes) + 1):
            page = Query(prefix=query.prefix, delimiter=query.delimiter, after=after, max_keys=size)
            listing = self.client.list_objects(dialect, page, encode=encode, token=token)
            found_keys += listing.page.keys
            found_prefixes += listing.page.prefixes
            if listing.page.next_after is None:
                break
            if dialect == "2":
                token = listing.token
            else:
                after = listing.page.next_after
        assert (found_keys, found_prefixes) == (whole.keys, whole.prefixes)

    @invariant()
    def everything_is_listed(self) -> None:
        listing = self.client.list_objects("2", Query(), encode=True)
        assert listing.page.keys == sorted(self.bucket.keys, key=str.encode)


class SharedBucketMachine(BucketMachine):
    """A bucket that file-system programs use at the same time."""

    @property
    def top(self) -> Path:
        return self.server.root / self.client.bucket

    @rule(path=keys.paths(), body=BODIES)
    def write_file(self, path: str, body: bytes) -> None:
        file = self.top / path
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            was_file = file.is_file()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            self.bucket.file_made(path, Stored(body, None), was_file=was_file)

    @rule(path=keys.paths(), body=BODIES)
    def replace_file(self, path: str, body: bytes) -> None:
        """As careful programs write: to another name, and then by renaming."""
        file, draft = self.top / path, self.server.root.parent / "draft"
        draft.write_bytes(body)
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            was_file = file.is_file()
            file.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(file)
            self.bucket.file_made(path, Stored(body, None), was_file=was_file)

    @rule(path=keys.paths())
    def remove_file(self, path: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            (self.top / path).unlink()
            self.bucket.file_gone(path)

    @rule(old=keys.paths(), new=keys.paths())
    def rename_file(self, old: str, new: str) -> None:
        """What S3 stored with the bytes goes with them."""
        source, target = self.top / old, self.top / new
        if source.is_file() and old != new:
            with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                was_file = target.is_file()
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
                self.bucket.file_made(new, self.bucket.file_gone(old), was_file=was_file)

    @rule(old=keys.paths(), new=keys.paths())
    def rename_directory(self, old: str, new: str) -> None:
        source, target = self.top / old, self.top / new
        if source.is_dir() and not target.exists() and not f"{new}/".startswith(f"{old}/"):
            with suppress(FileExistsError, NotADirectoryError):
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
                self.bucket.directory_renamed(f"{old}/", f"{new}/")

    @rule(path=keys.paths())
    def make_directory(self, path: str) -> None:
        """An empty directory is no object."""
        with suppress(FileExistsError, NotADirectoryError):
            (self.top / path).mkdir(parents=True)

    @rule(path=keys.paths())
    def make_link(self, path: str) -> None:
        """A symbolic link is no object either, whatever it leads to."""
        link = self.top / path
        with suppress(FileExistsError, NotADirectoryError, FileNotFoundError):
            os.symlink(self.server.root, link)
            link.unlink()

    @precondition(lambda self: self.bucket.keys)
    @rule(data=st.data())
    def read_file(self, data: st.DataObject) -> None:
        """What S3 stored under an ordinary key is a file at that path, unless there is a directory in its way."""
        key = self.pick(data)
        stored = self.bucket.get(key)
        if stored is not None and all(segment in keys.PLAIN for segment in key.split("/")):
            file = self.top / key
            if file.is_file():
                assert file.read_bytes() == stored.body


def _metadata_headers(metadata: dict[str, str]) -> dict[str, str]:
    return {f"x-amz-meta-{name}": value for name, value in metadata.items()}


def _metadata_of(answer: Answer) -> dict[str, str]:
    prefix = b"x-amz-meta-"
    return {
        name[len(prefix) :].decode(): value.decode("latin-1")
        for name, value in answer.headers
        if name.startswith(prefix)
    }


def _etag(answer: Answer) -> str:
    value = (answer.header(b"etag") or b"").decode()
    assert value.startswith('"')
    assert value.endswith('"')
    return value.strip('"')


def _is_xml(key: str) -> bool:
    """Whether the key can stand in an XML document."""
    return not any((ord(each) < 32 and each not in "\t\n\r") or each in "\ufffe\uffff" for each in key)
