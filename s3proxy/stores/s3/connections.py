"""The HTTP clients of a store: one, or with virtual-host addressing one for each bucket's host name."""

import ssl
from pathlib import Path
from typing import Final

from s3proxy.http1.client import ClientLimits, HttpClient, Origin
from s3proxy.metrics.meters import Meters, StoreMeter
from s3proxy.stores.s3.endpoint import Endpoint

_MOST_NAMES = 256


class Connections:
    """The clients by the name of the host that they speak to.

    Args:
        endpoint: of the store.
        limits: of each client.
        ca_file: the certificates to trust; those of the system when None.
        meter: counts what is asked over them; None for nobody.

    *Closes:* ``aclose``.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        limits: ClientLimits,
        ca_file: Path | None = None,
        meter: StoreMeter | None = None,
    ) -> None:
        self.endpoint: Final = endpoint
        self.meter: Final = meter or Meters.private().store("")
        self._limits = limits
        self._tls = ssl.create_default_context(cafile=ca_file) if endpoint.is_tls else None
        self._clients: dict[str, HttpClient] = {}

    async def client_of(self, name: str) -> HttpClient:
        """The client that speaks to a host. Of too many, the one that was made first goes."""
        client = self._clients.get(name)
        if client is None:
            if len(self._clients) >= _MOST_NAMES:
                await self._clients.pop(next(iter(self._clients))).aclose()
            client = HttpClient(Origin(host=name, port=self.endpoint.port, tls=self._tls), limits=self._limits)
            self._clients[name] = client
        return client

    async def aclose(self) -> None:
        """Close what is idle; requests in flight go on."""
        for client in self._clients.values():
            await client.aclose()
