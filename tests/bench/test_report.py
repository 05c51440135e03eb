"""Results as tables."""

from bench.machine import Machine
from bench.report import aligned, facts, tables, turn_line
from bench.results import Results
from bench.samples import Failure, Sample


def _sample(target: str, rate: float, *, load_limited: bool = False) -> Sample:
    metrics = {"requests_per_second": rate, "p50_ms": 0.5}
    return Sample(workload="get", case="get-4KiB", target=target, turn=0, metrics=metrics, load_limited=load_limited)


_FAILURE = Failure(case="put-4KiB", target="s3proxy", turn=1, reason="a wrong response")


def test_tables_show_the_ratio_to_the_faster_nginx() -> None:
    samples = [_sample("s3proxy", 50), _sample("nginx", 80), _sample("nginx-uncorked", 100)]
    text = tables(Results(machine=None, samples=samples, failures=[]))
    ratios = [line.split()[-2] for line in text.splitlines()[2:]]
    assert ratios == ["0.50", "0.80", "1.00"]


def test_tables_say_where_the_load_was_the_limit() -> None:
    text = tables(Results(machine=None, samples=[_sample("nginx", 80, load_limited=True)], failures=[]))
    assert "80*" in text
    assert "the load generator was the limit" in text


def test_tables_do_not_hide_failures() -> None:
    text = tables(Results(machine=None, samples=[_sample("nginx", 80)], failures=[_FAILURE]))
    assert text.endswith("put-4KiB s3proxy #2: FAILED: a wrong response")


def test_turn_line_names_each_figure() -> None:
    assert turn_line(_sample("nginx", 1234)) == "get-4KiB nginx #1: 1,234 req/s, 0.50 p50 ms"


def test_turn_line_of_a_metric_that_is_not_known_names_it_all_the_same() -> None:
    sample = Sample(workload="w", case="c", target="t", turn=0, metrics={"hops_per_day": 3})
    assert turn_line(sample) == "c t #1: 3 hops per day"


def test_tables_with_a_baseline_show_the_ratio_to_that_only() -> None:
    samples = [_sample("s3proxy", 50), _sample("nginx", 80), _sample("minio", 20)]
    text = tables(Results(machine=None, samples=samples, failures=[]), "minio")
    assert "x minio" in text
    assert "x nginx" not in text
    assert [line.split()[-2] for line in text.splitlines()[2:]] == ["2.50", "4.00", "1.00"]


def test_tables_of_what_takes_time_give_a_ratio_above_one_to_the_faster() -> None:
    samples = [
        Sample(workload="scan", case="scan", target=target, turn=0, metrics={"seconds": seconds})
        for target, seconds in (("s3proxy-cache", 2.0), ("direct", 3.0))
    ]
    text = tables(Results(machine=None, samples=samples, failures=[]))
    assert "x direct" in text
    assert [line.split()[-2] for line in text.splitlines()[2:]] == ["1.50", "1.00"]


def test_tables_of_a_case_without_the_baseline_leave_its_ratio_open() -> None:
    other = Sample(workload="get", case="get-1MiB", target="s3proxy", turn=0, metrics={"requests_per_second": 5})
    text = tables(Results(machine=None, samples=[_sample("nginx", 80), other], failures=[]))
    assert text.splitlines()[-1].split()[-2] == "-"


def test_facts_of_a_machine_are_a_line_each() -> None:
    machine = Machine(
        processor="P",
        cores=2,
        server_cores=[0],
        load_cores=[1],
        memory_mib=1,
        kernel="6",
        python="3",
        versions={"nginx": "1.22", "minio": "2025"},
        file_system="ext4",
        load_average=0.1,
        md5_mb_per_second=1,
        fsync_per_second=1,
        synced_write_mb_per_second=1,
    )
    lines = facts(machine).splitlines()
    assert "versions: nginx 1.22, minio 2025" in lines
    assert "server cores: [0]" in lines


def test_aligned_puts_names_left_and_figures_right() -> None:
    assert aligned([["a", "b", "c"], ["long", "x", "10"]]).splitlines() == ["a     b   c", "-----------", "long  x  10"]
