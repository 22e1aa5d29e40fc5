"""The dashboard and the alerts ask only for what the service says, and are what Grafana and Prometheus can read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import DEPLOY, Samples
from tests.deploy.promql import groupings, selectors

DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
README = (DEPLOY / "README.md").read_text()
_OF_PROMETHEUS = {"job", "instance"}
"""Labels that a scrape adds."""

PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")


def _expressions() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.sub(r"label_values\((.*),\s*\w+\)", r"\1", variable["query"]["query"])
    for rule in RULES:
        yield rule["alert"], rule["expr"]


@pytest.mark.parametrize(("name", "expression"), _expressions())
def test_every_metric_and_label_is_one_of_the_service(name: str, expression: str, samples: Samples) -> None:
    found = list(selectors(expression))
    assert found, f"{name} asks for nothing"
    labels = set()
    for metric, matchers in found:
        assert metric in samples, f"{name}: no metric {metric}"
        known = samples[metric]
        labels |= {label for sample in known for label in sample}
        for label, operator, value in matchers:
            if label not in _OF_PROMETHEUS:
                assert any(label in sample for sample in known), f"{name}: {metric} has no label {label}"
            if operator == "=" and label == "step":
                assert value in {sample[label] for sample in known}, f"{name}: {metric} has no {label} {value}"
    assert groupings(expression) <= labels | _OF_PROMETHEUS, name


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ('sum by (le, step) (rate(a_b{x="1", y=~"[45].."}[$__rate_interval])) / scalar(min(c))', ["a_b", "c"]),
        ('up{job="g"} == 0 or absent(up{job="g"})', ["up", "up"]),
        ("sum(increase(a_total[1h])) == 0 and (b or vector(0)) > 100", ["a_total", "b"]),
    ],
)
def test_names_are_found_in_expressions(expression: str, metrics: list[str]) -> None:
    assert [name for name, _ in selectors(expression)] == metrics


def test_the_dashboard_has_what_grafana_needs() -> None:
    assert {
        "uid",
        "title",
        "schemaVersion",
        "panels",
        "templating",
        "time",
        "annotations",
        "refresh",
    } <= DASHBOARD.keys()
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["id"] is None
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    known = {variable["name"] for variable in DASHBOARD["templating"]["list"]} | {"__rate_interval", "__all"}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= known


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_has_a_place_a_source_and_targets(panel: dict[str, Any]) -> None:
    assert panel["type"] in {"timeseries", "stat"}
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    assert panel["fieldConfig"]["defaults"]["unit"]


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_whole_and_explained(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+m", rule.get("for", "0m"))
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert f"| `{rule['alert']}` |" in README


def test_prometheus_reads_the_rules_and_knows_the_services_of_compose() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    assert all((DEPLOY / name).is_file() for name in config["rule_files"])
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert jobs.keys() <= services.keys()
    assert jobs["genrec"]["static_configs"][0]["targets"] == ["genrec:8000"]


@needs_promtool
@pytest.mark.parametrize("command", [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml")])
def test_promtool_finds_nothing(command: tuple[str, ...]) -> None:
    done = subprocess.run([PROMTOOL, *command], cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    cases = DEPLOY.parent / "tests" / "deploy"
    command = [PROMTOOL, "test", "rules", "alerts_test.yml"]
    done = subprocess.run(command, cwd=cases, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
