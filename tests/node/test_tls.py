"""What is said of a certificate that cannot be used, before a node starts or is reloaded with it."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from s3proxy.config import Config, TlsConfig
from s3proxy.node.failures import StartError
from s3proxy.node.tls import check_tls, make_context


@pytest.fixture
def files(tmp_path: Path) -> Path:
    authority = trustme.CA()
    for name in ("one", "other"):
        certificate = authority.issue_cert("s3.example.com")
        certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        for index, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(tmp_path / f"{name}.pem", append=index > 0)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    key = load_pem_private_key((tmp_path / "one.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "locked.key").write_bytes(locked)
    (tmp_path / "text").write_text("no certificate")
    return tmp_path


def tls(
    files: Path, *, certificate_file: str = "one.pem", key_file: str = "one.key", client_ca_file: str | None = None
) -> TlsConfig:
    return TlsConfig(
        certificate_file=str(files / certificate_file),
        key_file=str(files / key_file),
        client_ca_file=str(files / client_ca_file) if client_ca_file else "",
        client_certificate="required" if client_ca_file else "off",
    )


def refused(files: Path, **names: str) -> str:
    with pytest.raises(StartError) as caught:
        check_tls(Config(tls=tls(files, **names)))
    return str(caught.value)


def test_good_certificate_is_accepted(files: Path) -> None:
    check_tls(Config(tls=tls(files)))
    check_tls(Config(tls=tls(files, client_ca_file="ca.pem")))
    check_tls(Config())


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"certificate_file": "absent"}, ["tls.certificate_file", "/absent", "can be read", "No such file"]),
        ({"certificate_file": "text"}, ["tls.certificate_file", "/text", "at least one certificate"]),
        ({"certificate_file": "."}, ["tls.certificate_file", "can be read"]),
        ({"key_file": "absent"}, ["tls.key_file", "/absent", "can be read", "No such file"]),
        ({"key_file": "text"}, ["tls.key_file", "/text", "in PEM"]),
        ({"key_file": "other.key"}, ["tls.key_file", "/other.key", "must be the key of", "/one.pem"]),
        ({"key_file": "locked.key"}, ["tls.key_file", "/locked.key", "not encrypted"]),
        ({"client_ca_file": "absent"}, ["tls.client_ca_file", "/absent", "can be read"]),
        ({"client_ca_file": "one.key"}, ["tls.client_ca_file", "/one.key", "at least one certificate"]),
    ],
)
def test_file_that_cannot_be_used_is_named(files: Path, names: dict[str, str], says: list[str]) -> None:
    said = refused(files, **names)
    for words in says:
        assert words in said


def test_context_is_what_the_configuration_says(files: Path) -> None:
    context = make_context(tls(files))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE
    assert context.options & ssl.OP_NO_RENEGOTIATION
    context = make_context(tls(files, client_ca_file="ca.pem"))
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_older_version_than_the_least_is_refused(files: Path) -> None:
    context = make_context(replace(tls(files), minimum_version="1.3"))
    client = ssl.create_default_context(cafile=files / "ca.pem")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(to_client, to_server, server_hostname="s3.example.com").do_handshake()
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        context.wrap_bio(to_server, to_client, server_side=True).do_handshake()
