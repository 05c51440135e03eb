import pytest

from s3proxy.s3.client.request import StoreRequest
from s3proxy.s3.model import Bucket, Key
from s3proxy.stores.s3.endpoint import Endpoint, EndpointError, Place

REQUEST = StoreRequest(method=b"GET", bucket=Bucket("bucket"), key=Key("a/../b c"), query=b"tagging")


@pytest.mark.parametrize(
    ("url", "addressing", "place"),
    [
        ("http://store", "path", Place("store", b"store", b"/bucket/a/../b%20c?tagging")),
        ("http://store:8000/", "path", Place("store", b"store:8000", b"/bucket/a/../b%20c?tagging")),
        ("https://store/s3/", "path", Place("store", b"store", b"/s3/bucket/a/../b%20c?tagging")),
        ("https://store:80", "virtual", Place("bucket.store", b"bucket.store:80", b"/a/../b%20c?tagging")),
        ("http://[::1]:8000", "path", Place("::1", b"[::1]:8000", b"/bucket/a/../b%20c?tagging")),
    ],
)
def test_bucket_and_key_are_addressed_as_the_store_wants(url: str, addressing: str, place: Place) -> None:
    assert Endpoint.parse(url, "virtual" if addressing == "virtual" else "path").place_of(REQUEST) == place


def test_bucket_with_a_dot_is_in_the_path_where_its_certificate_would_not_fit() -> None:
    request = StoreRequest(method=b"GET", bucket=Bucket("a.b"))
    assert Endpoint.parse("https://store", "virtual").place_of(request) == Place("store", b"store", b"/a.b")
    assert Endpoint.parse("http://store", "virtual").place_of(request) == Place("a.b.store", b"a.b.store", b"/")


@pytest.mark.parametrize(
    ("region", "host"), [("eu-west-1", "s3.eu-west-1.amazonaws.com"), ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn")]
)
def test_amazon_is_reached_by_tls_and_host_names(region: str, host: str) -> None:
    endpoint = Endpoint.of_aws(region)
    assert (endpoint.host, endpoint.port, endpoint.is_tls, endpoint.addressing) == (host, 443, True, "virtual")


@pytest.mark.parametrize(
    "url",
    ["", "store", "ftp://store", "http://", "http://store?a", "http://user@store", "http://store:99999", "http://["],
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(EndpointError):
        Endpoint.parse(url)
