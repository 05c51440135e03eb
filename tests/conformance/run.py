"""Runs Ceph's s3-tests, from a checkout beside the project, against a server that it starts.

    python -m tests.conformance.run --suite S3_TESTS --python VENV/bin/python --conf S3TESTS_CONF --ids FILE

With --store http://ACCESS_KEY:SECRET_KEY@HOST:PORT the server keeps the buckets in that S3, behind a cache and with two
workers. Prints what passed, and fails when a test fails that expected_failures.txt does not list, or passes though it
does; --expected FILE names a further list, of what that store cannot do (expected_failures_ceph.txt and so on).
"""

import argparse
import configparser
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

EXPECTED_FAILURES = Path(__file__).with_name("expected_failures.txt")


def store_config(store: str | None, folder: Path) -> str:
    """The sections of the configuration that say where the buckets are."""
    if store is None:
        root = folder / "root"
        root.mkdir()
        return f'[store]\nroot = "{root}"\n'
    url = urlsplit(store)
    text = (
        f'[store]\nkind = "s3"\nendpoint = "{url.scheme}://{url.hostname}:{url.port}"\n'
        f'access_key = "{url.username}"\nsecret_key = "{url.password}"\n'
    )
    for tier, size in (("memory", "256 MiB"), ("disk", "1 GiB")):
        directory = folder / tier
        directory.mkdir()
        text += f'[{tier}_tier]\ndirectory = "{directory}"\nsize = "{size}"\n'
    return text


def server_config(conf: Path, store: str, *, workers: int) -> str:
    """The server's TOML configuration with the users that the suite's own configuration names."""
    suite = configparser.RawConfigParser()
    suite.read(conf)
    listen = f"{suite['DEFAULT']['host']}:{suite['DEFAULT']['port']}"
    text = f'[server]\nlisten = "{listen}"\nworkers = {workers}\n{store}'
    text += '[admin]\nlisten = ""\n[auth]\nmode = "signature"\n[log]\naccess = "off"\n'
    for section in ("s3 main", "s3 alt", "s3 tenant"):
        user = suite[section]
        text += (
            f"[[users]]\nname = {json.dumps(user['display_name'])}\nid = {json.dumps(user['user_id'])}\n"
            f"access_key = {json.dumps(user['access_key'])}\nsecret_key = {json.dumps(user['secret_key'])}\n"
        )
    return text


def expected_failures(*further: Path) -> set[str]:
    """The names of the tests that are known to fail; each line is ``name: reason``."""
    lines = [line for path in (EXPECTED_FAILURES, *further) for line in path.read_text().splitlines()]
    return {line.partition(":")[0] for line in lines if line and not line.startswith("#")}


def run_suite(options: argparse.Namespace, report: Path) -> dict[str, str]:
    """Run the suite and return its outcomes by test name."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "PYTHONPATH")
    } | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "S3TEST_CONF": str(options.conf.resolve()),
    }
    command = [options.python, "-m", "pytest", "--timeout=60", "-q", "--json-report", f"--json-report-file={report}"]
    names = options.only or options.ids.read_text().split()
    subprocess.run([*command, "--tb=short", *names], cwd=options.suite, env=environment, check=False)
    tests = json.loads(report.read_text())["tests"]
    return {test["nodeid"].rpartition("::")[2]: test["outcome"] for test in tests}


def main() -> int:
    """Run it all and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--conf", type=Path, required=True)
    parser.add_argument("--ids", type=Path, required=True)
    parser.add_argument("--store", metavar="URL", help="an S3 to keep the buckets in, instead of a directory")
    parser.add_argument("--expected", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("only", nargs="*", help="run these test ids alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "s3proxy.toml")
        store = store_config(options.store, Path(folder))
        config.write_text(server_config(options.conf, store, workers=1 if options.store is None else 2))
        with subprocess.Popen(
            [sys.executable, "-m", "s3proxy", "serve", "--config", config], stderr=subprocess.PIPE, text=True
        ) as server:
            assert server.stderr is not None
            print(server.stderr.readline(), end="")  # noqa: T201 (a command's output)
            try:
                outcomes = run_suite(options, Path(folder, "report.json"))
            finally:
                server.terminate()
                sys.stderr.write(server.stderr.read())
    failed = {name for name, outcome in outcomes.items() if outcome != "passed"}
    known = expected_failures(*options.expected) & outcomes.keys()
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} passed")  # noqa: T201
    for name in sorted(failed - known):
        print(f"unexpected failure: {name}")  # noqa: T201
    for name in sorted(known - failed):
        print(f"passes though listed as failing: {name}")  # noqa: T201
    return 1 if failed != known else 0


if __name__ == "__main__":
    sys.exit(main())
