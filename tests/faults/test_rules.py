"""Which request meets which fault."""

import pytest

from tests.faults.heads import Head, parse_head
from tests.faults.rules import Fault, Rule, Rules, parse_rules, render_rules

_GET = parse_head(b"GET /bucket/a%20b?partNumber=1 HTTP/1.1\r\nHost: s\r\nRange: bytes=0-9")
_PUT = parse_head(b"PUT /bucket/key HTTP/1.1\r\nHost: s")


@pytest.mark.parametrize(
    ("rule", "request_head", "matches"),
    [
        (Rule(fault=Fault.RESET), _PUT, True),
        (Rule(fault=Fault.RESET, method="GET"), _PUT, False),
        (Rule(fault=Fault.RESET, path="/bucket/a%20*"), _GET, True),
        (Rule(fault=Fault.RESET, path="/other/*"), _GET, False),
        (Rule(fault=Fault.RESET, ranged=True), _GET, True),
        (Rule(fault=Fault.RESET, ranged=True), _PUT, False),
        (Rule(fault=Fault.RESET, ranged=False), _GET, False),
    ],
)
def test_rule_matches_method_path_and_range(rule: Rule, request_head: Head, matches: bool) -> None:
    assert rule.matches(request_head) is matches


def test_rule_is_met_after_skip_and_so_many_times() -> None:
    rules = Rules([Rule(fault=Fault.RESET, skip=1, times=2)])
    assert [rules.choose(_GET) is not None for _ in range(5)] == [False, True, True, False, False]


def test_rule_for_a_fraction_meets_about_so_many() -> None:
    rules = Rules([Rule(fault=Fault.RESET, fraction=0.25)])
    assert 180 < sum(rules.choose(_GET) is not None for _ in range(1000)) < 320


def test_first_rule_that_is_met_decides() -> None:
    rules = Rules([Rule(fault=Fault.RESET, times=1), Rule(fault=Fault.HANG, method="GET")])
    chosen = [rules.choose(_GET) for _ in range(2)]
    assert [rule and rule.fault for rule in chosen] == [Fault.RESET, Fault.HANG]


def test_rules_that_were_rendered_are_parsed_back() -> None:
    rules = [Rule(fault=Fault.DRIP, bytes_per_second=10), Rule(fault=Fault.OTHER_ETAG, etag='"x"', times=3)]
    assert parse_rules(render_rules(rules)) == rules


@pytest.mark.parametrize("text", ['[{"fault": "fire"}]', '[{"fault": "reset", "colour": 1}]', "[{}]", "nothing"])
def test_rules_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse_rules(text)
