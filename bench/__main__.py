"""The command line of the bench: ``python -m bench list | run | compare | plot | replay``."""

import argparse
import dataclasses
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from bench import BenchError
from bench.cases import Case, Session, Settings
from bench.catalogue import TARGETS
from bench.ceph import ceph_absence
from bench.dataset import Dataset
from bench.difference import difference, difference_table
from bench.goals import goals_table
from bench.machine import describe
from bench.plots import plots_absence, write_plots
from bench.readers import READERS, reader_absence
from bench.replay.command import add_replay_options, replay
from bench.report import facts, tables, turn_line
from bench.results import RESULTS, Results, ResultsFile, read_results
from bench.runner import run_cases
from bench.samples import Failure, Sample, summarise
from bench.targets import Target
from bench.understore import UNDER_STORES, UnderStore
from bench.versions import versions_of
from bench.workloads import all_cases

_DESCRIPTORS = 8192
_BASELINE_HELP = "whom the ratios are to; the faster nginx, and no cache at all, when not given"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 1 when a turn failed or the command could not do its work; 130 when interrupted. A missed goal is no failure,
        nor is a regression unless ``--fail-below`` says so.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; what was measured so far is in the results file", file=sys.stderr)
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Servers side by side under the same load.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("list", help="show the cases and the targets").set_defaults(command=_list)
    run = commands.add_parser(
        "run", help="measure", formatter_class=argparse.ArgumentDefaultsHelpFormatter, description=_run.__doc__
    )
    _add_run_options(run)
    run.set_defaults(command=_run)
    _add_compare_options(commands.add_parser("compare", help="show a run against its goals, or against an earlier run"))
    plot = commands.add_parser("plot", help="draw a run as SVG and PNG", description=_plot.__doc__)
    plot.add_argument("directory", type=Path, metavar="DIR", help="of the run")
    plot.add_argument("--out", type=Path, metavar="DIR", help="for the pictures; the run's own when not given")
    plot.add_argument("--baseline", metavar="TARGET", help=_BASELINE_HELP)
    plot.set_defaults(command=_plot)
    replayed = commands.add_parser(
        "replay", help="what other cache policies would have kept", description=replay.__doc__
    )
    add_replay_options(replayed)
    replayed.set_defaults(command=replay)
    return parser


def _add_compare_options(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="one run; or an old and a new one")
    compare.add_argument("--baseline", metavar="TARGET", help=_BASELINE_HELP)
    compare.add_argument(
        "--fail-below",
        type=float,
        metavar="RATIO",
        help="of two runs: end with 1 when a target does less than RATIO times as well as before, beyond the spread",
    )
    compare.set_defaults(command=_compare)


def _add_run_options(run: argparse.ArgumentParser) -> None:
    cores = sorted(os.sched_getaffinity(0))
    usual = Settings(server_cores=frozenset(cores[:1]), load_cores=frozenset(cores[:2][-1:]))
    run.add_argument("cases", nargs="*", default=["*"], metavar="CASE", help="names or patterns such as 'get-*'")
    run.add_argument("--targets", default=",".join(target.name for target in TARGETS), help="separated by commas")
    run.add_argument(
        "--out", type=Path, default=Path("bench-results"), metavar="DIR", help="for results.jsonl and the plots"
    )
    run.add_argument("--resume", action="store_true", help="keep what is in --out, and take only the turns it lacks")
    run.add_argument("--baseline", metavar="TARGET", help=_BASELINE_HELP)
    run.add_argument(
        "--data", type=Path, metavar="DIR", help="make the files below this directory, not the temporary one"
    )
    run.add_argument("--rounds", type=int, default=usual.rounds, help="turns of each target")
    run.add_argument("--seconds", type=float, default=usual.seconds, help="measured in each turn")
    run.add_argument("--warm-seconds", type=float, default=usual.warm_seconds, help="before that")
    run.add_argument("--connections", type=int, help="in place of each case's own number")
    run.add_argument("--keys", type=int, default=usual.keys, help="files in the listed bucket")
    run.add_argument("--slow-seconds", type=float, default=usual.slow_seconds, help="length of the memory case")
    run.add_argument("--under-store", choices=UNDER_STORES, default=usual.under_store, help="behind the caches")
    run.add_argument("--server-cores", type=_cores, default=_listed(usual.server_cores), help="such as 0 or 0,1")
    run.add_argument("--load-cores", type=_cores, default=_listed(usual.load_cores), help="such as 1")


def _cores(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(","))


def _listed(cores: frozenset[int]) -> str:
    return ",".join(map(str, sorted(cores)))


def _list(_options: argparse.Namespace) -> int:
    print("cases:")
    width = max(len(case.name) for case in all_cases()) + 2
    for case in all_cases():
        print(f"  {case.name:<{width}}{', '.join(case.targets)}")
    print("targets:")
    for target in TARGETS:
        reason = target.absence()
        print(f"  {target.name:<24}{f'ABSENT: {reason}' if reason else target.summary}")
    print("readers:")
    for name in READERS:
        reason = reader_absence(name)
        print(f"  {name:<24}{f'ABSENT: {reason}' if reason else 'present'}")
    print("under-stores (--under-store), behind the caches:")
    for name in UNDER_STORES:
        reason = ceph_absence() if name == "ceph" else None
        print(f"  {name:<24}{f'ABSENT: {reason}' if reason else 'present'}")
    return 0


def _run(options: argparse.Namespace) -> int:
    """Measure every chosen case on every chosen target that is here, in turn, and print tables and goals."""
    cases = _chosen_cases(options.cases)
    targets = _present_targets(options.targets.split(","))
    settings = _settings(options)
    _raise_descriptor_limit()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that servers are stopped and files removed
    earlier = read_results(options.out) if options.resume and (options.out / RESULTS).exists() else None
    results = ResultsFile(options.out, keep=earlier)

    def report(entry: Sample | Failure) -> None:
        results.add(entry)
        print(turn_line(entry), flush=True)

    with _session(settings, options.data) as session:
        machine = describe(session.scratch, versions_of(targets), settings)
        results.add(machine)
        print(facts(machine), flush=True)
        run_cases(session, cases, targets, report, earlier.turns() if earlier else ())
    whole = read_results(options.out)
    print(f"\n{_shown(whole, options.baseline)}\n\nwritten to {results.path}")
    _draw(whole, options.out, options.baseline)
    return 1 if whole.failures else 0


def _draw(results: Results, directory: Path, baseline: str | None) -> None:
    reason = plots_absence()
    if reason:
        print(f"NO PLOTS: {reason}")
    else:
        print("\n".join(map(str, write_plots(results, directory, baseline))))


def _shown(results: Results, baseline: str | None) -> str:
    return f"{tables(results, baseline)}\n\n{goals_table(summarise(results.samples))}"


def _chosen_cases(patterns: Sequence[str]) -> list[Case]:
    chosen = [case for case in all_cases() if any(fnmatchcase(case.name, pattern) for pattern in patterns)]
    if not chosen:
        raise BenchError(f"no case is named {' or '.join(patterns)}; see: python -m bench list")
    return chosen


def _present_targets(names: Sequence[str]) -> list[Target]:
    unknown = set(names) - {target.name for target in TARGETS}
    if unknown:
        raise BenchError(f"no target is named {' or '.join(sorted(unknown))}; see: python -m bench list")
    present = []
    for target in TARGETS:
        if target.name in names:
            reason = target.absence()
            if reason:
                print(f"SKIPPED {target.name}: {reason}", flush=True)
            else:
                present.append(target)
    if not present:
        raise BenchError("none of the targets is installed here")
    return present


def _settings(options: argparse.Namespace) -> Settings:
    missing = (options.server_cores | options.load_cores) - os.sched_getaffinity(0)
    if missing:
        raise BenchError(f"this process may not run on core {min(missing)}")
    if options.server_cores & options.load_cores:
        print("NOTE: server and load share a core: only their CPU figures mean something", flush=True)
    given = {each.name: getattr(options, each.name) for each in dataclasses.fields(Settings)}
    return Settings(**given)


def _raise_descriptor_limit() -> None:
    """Room for the slow clients, here and in the servers, which inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


@contextmanager
def _session(settings: Settings, below: Path | None) -> Iterator[Session]:
    with tempfile.TemporaryDirectory(prefix="s3proxy-bench-", dir=below) as name:
        top = Path(name)
        for part in ("root", "sources", "scratch"):
            (top / part).mkdir()
        dataset, scratch = Dataset(top / "root", top / "sources"), top / "scratch"
        with UnderStore(settings.under_store, dataset, scratch, settings.all_cores) as under_store:
            yield Session(settings=settings, dataset=dataset, scratch=scratch, under_store=under_store, kept=below)


def _compare(options: argparse.Namespace) -> int:
    runs = [read_results(directory) for directory in options.directories]
    if len(runs) == 1:
        machine = f"{facts(runs[0].machine)}\n\n" if runs[0].machine else ""
        print(f"{machine}{_shown(runs[0], options.baseline)}")
        return 0
    if len(runs) > 2:
        raise BenchError("compare takes one run, or two")
    found = difference(*runs)
    print(difference_table(found))
    worse = [] if options.fail_below is None else found.regressions(options.fail_below)
    for each in worse:
        print(f"REGRESSION: {each}")
    return 1 if worse else 0


def _plot(options: argparse.Namespace) -> int:
    """Draw throughput, CPU for each GiB and latency of every workload of a run, and the ratios to the baseline."""
    results = read_results(options.directory)
    print("\n".join(map(str, write_plots(results, options.out or options.directory, options.baseline))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
