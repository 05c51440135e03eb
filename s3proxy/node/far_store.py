"""An S3 at a distance as the configuration describes it."""

from pathlib import Path

from s3proxy.config import StoreConfig
from s3proxy.metrics.meters import StoreMeter
from s3proxy.node.failures import StartError
from s3proxy.s3.sigv4 import Credentials
from s3proxy.stores.fairness import FairLimiter
from s3proxy.stores.s3.credentials import CredentialsProvider, FixedCredentials
from s3proxy.stores.s3.endpoint import EndpointError
from s3proxy.stores.s3.exchange import Patience
from s3proxy.stores.s3.store import S3Store, Settings


def open_s3(
    path: str, config: StoreConfig, limiter: FairLimiter, *, remembers_buckets: bool, meter: StoreMeter | None = None
) -> S3Store:
    """Make the store; nothing is sent yet.

    Args:
        path: of the table in the configuration.
        config: the table.
        limiter: bounds what this worker asks at once.
        remembers_buckets: for some seconds, since each request asks for its bucket; not where a cache in front does so.
        meter: counts what it is asked; None for nobody.

    Raises:
        StartError: the endpoint is none, or the certificates cannot be read.
    """
    bucket_seconds = Settings().bucket_seconds if remembers_buckets else 0.0
    settings = Settings(
        endpoint=config.endpoint or None,
        region=config.region,
        addressing=None if config.addressing == "auto" else config.addressing,
        ca_file=Path(config.ca_file) if config.ca_file else None,
        conditional_writes=None if config.conditional_writes == "auto" else config.conditional_writes,
        bucket_seconds=bucket_seconds,
        patience=Patience(deadline=config.deadline_seconds),
    )
    try:
        return S3Store.open(settings, credentials=_credentials(config), limiter=limiter, meter=meter)
    except EndpointError as error:
        raise StartError(f"{path}.endpoint: {error}") from error
    except OSError as error:  # an ssl.SSLError is one
        raise StartError(f'{path}.ca_file = "{config.ca_file}": {error}') from error


def _credentials(config: StoreConfig) -> CredentialsProvider | None:
    """Who signs; None for what botocore finds."""
    if config.anonymous:
        return FixedCredentials(None)
    if config.access_key:
        return FixedCredentials(
            Credentials(access_key=config.access_key, secret_key=config.secret_key, region=config.region)
        )
    return None
