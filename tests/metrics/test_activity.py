import json
from typing import Any

from s3proxy.metrics.activity import Activity, Failure, merged
from s3proxy.metrics.reports import REPORT_BYTES
from tests.metrics.asking import Clock, Told


def ask(activity: Activity, seconds: float, told: Told | None = None, *, status: int = 200, sent: int = 1) -> None:
    activity.note_requests([(told or Told(), status, seconds, seconds / 2, sent, 0, None)])


def said(activity: Activity) -> dict[str, list[dict[str, Any]]]:
    content: dict[str, list[dict[str, Any]]] = json.loads(activity.report())
    return content


def test_slow_request_is_told_of_with_all_that_is_known() -> None:
    clock = Clock()
    activity = Activity(clock=clock)
    ask(activity, 2.5, Told(resource="/photos/a b/ü"), status=206, sent=77)
    assert said(activity)["slowest"] == [
        {
            "at": clock.now,
            "operation": "GetObject",
            "bucket": "photos",
            "key": "a b/ü",
            "status": 206,
            "seconds": 2.5,
            "first_byte_seconds": 1.25,
            "bytes": 77,
            "client": "192.0.2.1",
        }
    ]


def test_slowest_requests_of_many_are_told_of_the_slowest_first() -> None:
    activity = Activity()
    for number in range(1000):
        ask(activity, (number * 7919 % 1000) / 1000)
    assert [entry["seconds"] for entry in said(activity)["slowest"]] == [
        number / 1000 for number in range(999, 949, -1)
    ]


def test_slow_request_is_forgotten_after_an_hour_and_makes_room() -> None:
    clock = Clock()
    activity = Activity(clock=clock)
    for _ in range(50):
        ask(activity, 9)
    clock.now += 3601
    assert said(activity)["slowest"] == []
    ask(activity, 0.001)
    assert [entry["seconds"] for entry in said(activity)["slowest"]] == [0.001]


def test_request_that_failed_makes_no_object_busy() -> None:
    activity = Activity()
    ask(activity, 0.1, status=403)
    assert said(activity)["busiest"] == []


def test_latest_failures_are_told_of_the_latest_first() -> None:
    activity = Activity()
    for number in range(200):
        activity.note_failure(Failure(at=number, message=f"failure {number}"))
    more = [Failure(at=198.5, message="of the node")]
    errors = json.loads(activity.report(more))["errors"]
    assert [error["message"] for error in errors[:3]] == ["failure 199", "of the node", "failure 198"]
    assert len(errors) == 50


def test_words_of_a_failure_are_cut_where_they_grow_long() -> None:
    activity = Activity()
    activity.note_failure(Failure(at=0, message="x" * 10_000))
    assert len(said(activity)["errors"][0]["message"]) == 400


def test_report_fits_the_board_whatever_the_keys_are() -> None:
    activity = Activity()
    for number in range(200):
        resource = f"/bucket/{number}" + "\x01" * 1000
        ask(activity, 1 + number, Told(resource=resource))
        activity.note_failure(Failure(at=number, message="\x01" * 400, resource=resource))
    report = activity.report()
    assert len(report) <= REPORT_BYTES
    assert json.loads(report)["slowest"][0]["seconds"] == 200


def test_key_that_is_no_text_is_told_of_as_well() -> None:
    activity = Activity()
    ask(activity, 1, Told(resource="/b/\udcff"))
    assert said(activity)["slowest"][0]["key"] == "\udcff"


def test_process_goes_on_from_the_report_of_the_one_before() -> None:
    clock = Clock()
    before = Activity(clock=clock)
    ask(before, 3)
    before.note_failure(Failure(at=1, message="first"))
    before.note_failure(Failure(at=2, message="last words"))
    after = Activity(clock=clock)
    after.recall(before.report())
    after.note_failure(Failure(at=3, message="new"))
    assert [error["message"] for error in said(after)["errors"]] == ["new", "last words", "first"]
    assert [entry["seconds"] for entry in said(after)["slowest"]] == [3]


def test_first_process_has_nothing_to_go_on_from() -> None:
    activity = Activity()
    activity.recall(b"")
    assert said(activity)["errors"] == []


def test_reports_of_a_node_are_merged_with_the_counts_of_an_object_added_up() -> None:
    clock = Clock()
    processes = [Activity(clock=clock), Activity(clock=clock)]
    for number, activity in enumerate(processes):
        ask(activity, 1 + number, Told(resource="/b/common"), sent=10)
        ask(activity, 3 + number, Told(resource=f"/b/{number}"), sent=10)
        activity.note_failure(Failure(at=number, message=f"of {number}"))
    content = merged([activity.report() for activity in processes])
    assert content["busiest"][0] == {"bucket": "b", "key": "common", "requests": 2, "bytes": 20}
    assert [entry["seconds"] for entry in content["slowest"]] == [4, 3, 2, 1]
    assert [error["message"] for error in content["errors"]] == ["of 1", "of 0"]


def test_report_of_another_version_of_the_program_is_passed_over() -> None:
    assert merged([b'{"format": 2}']) == {"busiest": [], "slowest": [], "errors": []}
