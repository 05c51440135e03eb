"""Alerts and dashboards: what they ask for is what a node tells."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s3proxy.cache.counters import Counter
from s3proxy.metrics.exposition import NodeUse, TierUse, exposition
from s3proxy.metrics.meters import Meters
from s3proxy.metrics.processes import ProcessUse

DEPLOY = Path(__file__).parents[2] / "deploy"
CASES = Path(__file__).parent / "alerts_test.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
ASKING = ("alerts.yml", "grafana-dashboard.json", "README.md")
FOREIGN_LABELS = {"le", "instance", "job", "cluster"}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is missing")


def told() -> str:
    """The metrics of a node that has everything."""
    meters = Meters.private()
    meters.store("default").count(0.01, is_error=False)
    use = NodeUse(
        version="0",
        started_at=0,
        is_ready=True,
        connection_limit=1,
        reading=meters.read(),
        cache_counts={each.name.lower(): 0 for each in Counter},
        tiers={"memory": TierUse(used_bytes=0, size_bytes=1)},
        stores={"default": True},
        processes={"0": ProcessUse(cpu_seconds=0, rss_bytes=0, descriptors=0)},
    )
    return exposition(use).decode()


def names() -> set[str]:
    """Of all series."""
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", told(), re.MULTILINE):
        found |= {f"{name}_{end}" for end in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return found


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


@pytest.mark.parametrize("file", ASKING)
def test_every_metric_that_is_asked_for_exists(file: str) -> None:
    asked = set(re.findall(r"\bs3proxy_[a-z0-9_]+", (DEPLOY / file).read_text()))
    assert asked
    assert asked <= names()


@pytest.mark.parametrize("file", ["alerts.yml", "grafana-dashboard.json"])
def test_every_label_that_is_asked_for_exists(file: str) -> None:
    text = (DEPLOY / file).read_text().replace('\\"', '"')
    asked = set(re.findall(r'\b([a-z_]+)=~?"', text))
    for group in re.findall(r"\b(?:by|without) \(([^)]*)\)", text):
        asked |= set(group.split(", "))
    own = {"operation", "status"} | set(re.findall(r'[{,]([a-z_]+)="', told()))
    assert asked - FOREIGN_LABELS <= own


def test_dashboard_has_panels_that_ask_and_do_not_overlap() -> None:
    places: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert panel["targets"], panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & places, panel["title"]
        places |= cells


def test_dashboard_numbers_each_panel_once() -> None:
    numbers = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(set(numbers)) == len(numbers)


@needs_promtool
def test_expressions_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    rules = [{"record": f"r:{n}", "expr": each.replace("$__rate_interval", "1m")} for n, each in enumerate(expressions)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, check=True)


@needs_promtool
def test_scrape_configuration_is_accepted(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(DEPLOY / name, tmp_path)
    (tmp_path / "s3proxy-admin-token").write_text("token")
    subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, check=True)


@needs_promtool
def test_alerts_are_raised_when_they_should(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    shutil.copy(CASES, tmp_path)
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / CASES.name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
