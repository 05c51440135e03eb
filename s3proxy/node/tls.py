"""The certificate of the data port, read anew by every worker that starts."""

import ssl

from s3proxy.config import Config, TlsConfig
from s3proxy.node.failures import StartError

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_CLIENT_CERTIFICATE = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def check_tls(config: Config) -> None:
    """Try what a worker will do with ``[tls]``, so that a reload can be refused before anything was replaced.

    Raises:
        StartError: a file cannot be read or used; the message names the key, the value and what is allowed.
    """
    if config.tls.certificate_file:
        make_context(config.tls)


def make_context(tls: TlsConfig) -> ssl.SSLContext:
    """What the connections of a server begin with.

    Sessions are resumed by tickets (RFC 5077, RFC 8446 section 4.6.1), of which each worker understands its own.

    Raises:
        StartError: as ``check_tls``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.minimum_version]
    context.options |= ssl.OP_NO_RENEGOTIATION  # one client could keep a core busy with it (CVE-2011-1473)
    context.set_alpn_protocols(["http/1.1"])
    _load_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "certificate_file", tls.certificate_file)
    _load_key(context, tls)
    if tls.client_certificate != "off":
        _load_certificates(context, "client_ca_file", tls.client_ca_file)
        context.verify_mode = _CLIENT_CERTIFICATE[tls.client_certificate]
    return context


def _load_certificates(context: ssl.SSLContext, key: str, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise _refused(key, path, "must be a PEM file with at least one certificate", error) from error
    except OSError as error:
        raise _refused(key, path, "must be a file that can be read", error) from error


def _load_key(context: ssl.SSLContext, tls: TlsConfig) -> None:
    try:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
    except ssl.SSLError as error:
        allowed = f'must be the key of tls.certificate_file = "{tls.certificate_file}", in PEM and not encrypted'
        raise _refused("key_file", tls.key_file, allowed, error) from error
    except OSError as error:
        raise _refused("key_file", tls.key_file, "must be a file that can be read", error) from error


def _refused(key: str, path: str, allowed: str, error: OSError) -> StartError:
    return StartError(f'tls.{key} = "{path}": {allowed} ({error.strerror or error})')
