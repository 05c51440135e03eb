import pytest

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, GetObject, Key
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.routes import Mount, Outage, Routes
from tests.stores.fakes import MemoryStore

DEFAULT, OTHER = MemoryStore(), MemoryStore()


def routes_of(*mounts: Mount) -> Routes:
    return Routes(mounts, Mount(bucket="*", store=DEFAULT, store_name="default"))


def mount(bucket: str, *, target_bucket: str = "", prefix: str = "", name: str = "other") -> Mount:
    return Mount(bucket=bucket, store=OTHER, store_name=name, target_bucket=target_bucket, prefix=prefix)


def chosen(routes: Routes, bucket: str) -> str:
    return routes.to(Bucket(bucket)).mount.store_name


def test_bucket_that_no_mount_names_is_in_the_default_store() -> None:
    route = routes_of(mount("lake")).to(Bucket("pond"))
    assert (route.store, route.target, route.prefix, route.is_plain) == (DEFAULT, "pond", "", True)


@pytest.mark.parametrize(
    ("bucket", "store"),
    [("team-a", "name"), ("team-b", "first"), ("team-", "first"), ("team", "second"), ("x", "default"), ("a.b", "dot")],
)
def test_name_wins_over_a_pattern_and_an_earlier_pattern_over_a_later_one(bucket: str, store: str) -> None:
    routes = routes_of(
        mount("team-*", name="first"),
        mount("team*", name="second"),
        mount("team-a", name="name"),
        mount("a.*", name="dot"),
    )
    assert chosen(routes, bucket) == store
    assert chosen(routes, bucket) == store


@pytest.mark.parametrize("bucket", ["aXb", "a", "xa.b"])
def test_pattern_means_nothing_by_a_dot_and_matches_the_whole_name(bucket: str) -> None:
    assert chosen(routes_of(mount("a.*")), bucket) == "default"


def test_first_of_two_equal_mounts_counts() -> None:
    assert chosen(routes_of(mount("a", name="first"), mount("a", name="second")), "a") == "first"


def test_plain_route_leaves_an_operation_as_it_is() -> None:
    operation = GetObject(bucket=Bucket("lake"), key=Key("a"))
    assert routes_of(mount("lake")).to(Bucket("lake")).of(operation) is operation


def test_route_to_a_prefix_adds_it_and_takes_it_away() -> None:
    route = routes_of(mount("lake", target_bucket="deep", prefix="raw/")).to(Bucket("lake"))
    operation = route.of(GetObject(bucket=Bucket("lake"), key=Key("a")))
    assert (operation.bucket, operation.key) == ("deep", "raw/a")
    assert (route.inside("a"), route.outside("raw/a"), route.outside("")) == ("raw/a", "a", "")


def test_error_names_what_clients_know() -> None:
    route = routes_of(mount("lake", target_bucket="deep", prefix="raw/")).to(Bucket("lake"))
    error = S3Error(ErrorCode.NO_SUCH_KEY, detail={"Key": "raw/a", "BucketName": "deep"})
    with pytest.raises(S3Error), route:
        raise error
    assert error.detail == {"Key": "a", "BucketName": "lake"}


def test_error_that_names_another_bucket_is_left_alone() -> None:
    route = routes_of(mount("lake", target_bucket="deep")).to(Bucket("lake"))
    error = S3Error(ErrorCode.NO_SUCH_BUCKET, detail={"BucketName": "pond"})
    with pytest.raises(S3Error), route:
        raise error
    assert error.detail == {"BucketName": "pond"}


def test_store_that_could_not_be_opened_says_why() -> None:
    routes = routes_of(Mount(bucket="lake", store=Outage("no such directory"), store_name="nas"))
    with pytest.raises(StoreUnavailableError, match="nas: no such directory"):
        routes.to(Bucket("lake"))
    assert chosen(routes, "pond") == "default"


def test_routes_to_any_number_of_buckets_take_bounded_memory() -> None:
    routes = routes_of()
    for number in range(10_000):
        routes.to(Bucket(f"bucket-{number}"))
    assert len(routes._remembered) <= 4096
