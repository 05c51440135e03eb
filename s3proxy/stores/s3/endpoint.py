"""Where a store is, and how its buckets and keys are addressed there."""

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from s3proxy.s3.client.request import StoreRequest, quoted_path

Addressing = Literal["path", "virtual"]

_PORTS = {"http": 80, "https": 443}


class EndpointError(ValueError):
    """What was given is no endpoint."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one request goes: the server's name, what the Host header says, and the target."""

    name: str
    authority: bytes
    target: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a store."""

    host: str
    port: int
    is_tls: bool
    base_path: str = ""
    addressing: Addressing = "path"

    @classmethod
    def parse(cls, url: str, addressing: Addressing = "path") -> Self:
        """Read ``http://host[:port][/path]`` or the same with https.

        Raises:
            EndpointError: it is of another form.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise EndpointError(f"{url!r} is no URL") from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise EndpointError(f"{url!r} is not of the form http://host:port or https://host:port")
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "https",
            base_path=parts.path.rstrip("/"),
            addressing=addressing,
        )

    @classmethod
    def of_aws(cls, region: str, addressing: Addressing = "virtual") -> Self:
        """Amazon's endpoint of a region.

        Source: AWS General Reference, "Amazon Simple Storage Service endpoints and quotas".
        """
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return cls.parse(f"https://s3.{region}.{domain}", addressing)

    def place_of(self, request: StoreRequest) -> Place:
        """Where a request goes.

        A bucket whose name has a dot is addressed by path even so where TLS would refuse it: a certificate's ``*``
        stands for one label.
        """
        name, path = self.host, self.base_path
        if request.bucket is not None:
            if self.addressing == "virtual" and not (self.is_tls and "." in request.bucket):
                name = f"{request.bucket}.{name}"
            else:
                path += f"/{request.bucket}"
        if request.key is not None:
            path += f"/{quoted_path(request.key)}"
        target = (path or "/").encode()
        return Place(name, self._authority(name), target + b"?" + request.query if request.query else target)

    def _authority(self, name: str) -> bytes:
        bracketed = f"[{name}]" if ":" in name else name
        is_default = self.port == _PORTS["https" if self.is_tls else "http"]
        return (bracketed if is_default else f"{bracketed}:{self.port}").encode()
