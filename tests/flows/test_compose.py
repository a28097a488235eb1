"""docker-compose.yml without docker: its schema, the settings it names, and the commands it gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.server import CLIENT_SETTINGS, SERVER_SETTINGS

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def test_the_file_fits_the_compose_schema():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    subprocess.run(command, check=True, timeout=120)


def known_settings():
    command = [str(Path(sys.executable).parent / "prefect"), "config", "view", "--show-defaults", "--hide-sources"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    return {line.partition("=")[0].strip() for line in shown.splitlines() if "=" in line}


def test_every_prefect_setting_that_is_named_exists(services):
    known = known_settings()
    named = {name for service in services.values() for name in service["environment"]}
    named |= {*SERVER_SETTINGS, *CLIENT_SETTINGS}
    assert "PREFECT_API_URL" in known
    assert {name for name in named if name.startswith("PREFECT_")} - known == set()


def test_the_server_of_compose_is_set_like_that_of_isrflow_up(services):
    environment = services["server"]["environment"]
    assert {name: environment[name] for name in SERVER_SETTINGS} == SERVER_SETTINGS


def test_the_server_listens_on_this_host_only(services):
    assert all(port.startswith("127.0.0.1:") for port in services["server"]["ports"])


def test_the_commands_can_be_parsed(services):
    from flows.deploy import parse

    program, *arguments = services["server"]["command"]
    assert (program, arguments[:2]) == ("prefect", ["server", "start"])
    helped = subprocess.run(
        [str(Path(sys.executable).parent / "prefect"), "server", "start", "--help"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    assert all(option in helped for option in arguments if option.startswith("--"))
    python, flag, module, *options = services["nightly"]["command"]
    assert (python, flag, module) == ("python", "-m", "flows.deploy")
    assert parse(options).cron == "0 16 * * *"


def test_the_nightly_service_waits_for_the_server_and_names_it(services):
    nightly = services["nightly"]
    assert nightly["depends_on"] == {"server": {"condition": "service_healthy"}}
    assert nightly["environment"]["PREFECT_API_URL"] == "http://server:4200/api"
