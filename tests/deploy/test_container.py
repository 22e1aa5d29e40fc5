"""The image and the services around it, as far as that can be said without an engine that builds and runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from genrec.cli import app
from tests.deploy.conftest import DEPLOY

ROOT = DEPLOY.parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines()
    if line.strip()
]
COMPOSE = (DEPLOY / "compose.yaml").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
README = (DEPLOY / "README.md").read_text()
_SECRET = re.compile(r"PASSWORD|KEY|TOKEN|SECRET")
_VARIABLE = re.compile(r"\$\{(\w+)")


def _values(instruction: str) -> list[str]:
    return [value for name, value in INSTRUCTIONS if name == instruction]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_small_pinned_and_without_rights() -> None:
    bases = _values("FROM")
    assert len(bases) == 2
    assert all(re.match(r"python:3\.11\.\d+-", base) for base in bases)
    assert _values("USER") == ["10001"]
    assert "--uid 10001" in DOCKERFILE
    assert "/health/live" in _values("HEALTHCHECK")[0]
    assert _values("ENTRYPOINT") == ['["genrec"]']
    assert not _SECRET.search(DOCKERFILE)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    sources = [source for copied in _values("COPY") if "--from" not in copied for source in copied.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored
    assert all((ROOT / "requirements" / f"{hardware}.txt").is_file() for hardware in ("cpu", "gpu"))


def test_the_image_builds_with_the_versions_of_the_makefile() -> None:
    """The package needs its build tools in the versions that `make` takes."""
    makefile = (ROOT / "Makefile").read_text()
    for tool in re.findall(r"hatchling==\S+|editables==\S+", DOCKERFILE):
        assert tool in makefile


def test_spans_can_be_sent_from_every_image() -> None:
    for hardware in ("cpu", "gpu"):
        pinned = (ROOT / "requirements" / f"{hardware}.txt").read_text()
        for package in ("api", "sdk", "exporter-otlp-proto-http"):
            assert f"opentelemetry-{package}==1.45.2" in pinned


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_cannot_be_reached_from_elsewhere(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\$?\{?[\w:.-]*\d+\.\d+", service["image"]), service["image"]
    assert "latest" not in service["image"]
    assert all(re.match(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+$", port) for port in service.get("ports", []))
    assert service["restart"] == "unless-stopped"
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service


def test_files_and_volumes_that_services_name_exist() -> None:
    volumes = yaml.safe_load(COMPOSE)["volumes"]
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).is_file(), f"{name}: {source}"
                assert volume.endswith(":ro")
            else:
                assert source in volumes, f"{name}: {source}"
        assert set(service.get("depends_on", [])) <= SERVICES.keys()
    build = SERVICES["genrec"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert f"ARG {next(iter(build['args']))}=" in DOCKERFILE


def test_secrets_come_from_outside_and_are_asked_for() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if _SECRET.search(variable) and value is not None:
                assert re.fullmatch(r"\$\{\w+(:\?set \w+ .+|:-)\}", value), variable
    assert "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD" in COMPOSE
    assert "${GRAFANA_PASSWORD:?set GRAFANA_PASSWORD" in COMPOSE


def test_every_variable_is_explained() -> None:
    environments = [service.get("environment", {}) for service in SERVICES.values()]
    given_on = {name for environment in environments for name, value in environment.items() if value is None}
    for variable in {*_VARIABLE.findall(COMPOSE), *given_on}:
        assert f"`{variable}`" in README, variable


def test_the_command_is_one_of_genrec() -> None:
    command = re.sub(r"\$\{GENREC_ENGINE:.*\}$", "--engine=http://vllm:8000", SERVICES["genrec"]["command"])
    named = set(re.findall(r"--[a-z-]+", command))
    said = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).output
    assert named == {"--host", "--database", "--deadline", "--engine"}
    assert all(option in said for option in named)


def test_a_stop_waits_for_what_runs() -> None:
    """The deadline, what uvicorn adds to it, and the last spans."""
    deadline = int(re.search(r"GENREC_DEADLINE:-(\d+)", COMPOSE)[1])
    assert int(SERVICES["genrec"]["stop_grace_period"].removesuffix("s")) >= deadline + 5 + 10
    assert _values("STOPSIGNAL") == ["SIGTERM"]


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    source = yaml.safe_load((DEPLOY / "grafana" / "datasource.yml").read_text())["datasources"][0]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    provider = yaml.safe_load((DEPLOY / "grafana" / "provider.yml").read_text())["providers"][0]
    inside = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"] if "dashboard.json" in volume]
    assert Path(inside[0]).parent == Path(provider["options"]["path"])
