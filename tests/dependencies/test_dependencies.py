"""Dependencies are declared once: pins, lower bounds, other versions and the page of licenses say the same."""
from __future__ import annotations

import importlib.metadata
import re
import tomllib

import pytest
from gradscape import catalog

from tests.dependencies import licences, versions

PAGE = licences.PAGE.read_text(encoding="utf-8") if licences.PAGE.exists() else ""
PACKAGES = PAGE.partition("## What gradscape imports")[2]
ROWS = dict(re.findall(r"^\| ([\w.-]+) \| (.*) \|$", PACKAGES, re.MULTILINE))
ROWS.pop("package", None)  # the tables' heads
HOW = "write it anew with `make licences`"


def test_the_page_of_licenses_names_what_is_required_and_nothing_else():
    wanted = {*licences.pinned("requirements.txt"), *licences.pinned("requirements-test.txt")}
    assert {licences.canonical(name) for name in ROWS} == set(map(licences.canonical, wanted)), HOW


def test_the_licenses_are_those_of_the_installed_packages():
    installed = {name: licences.license_of(name) for name in ROWS}
    other = {name: (ROWS[name], found) for name, found in installed.items()
             if found not in ("not installed", ROWS[name])}
    assert not other, HOW
    assert "not stated" not in ROWS.values()
    assert "not installed" not in ROWS.values(), HOW


def test_the_data_s_licenses_are_on_the_page():
    assert all(line in PAGE for line in licences.data() if line), HOW


def test_what_is_installed_is_what_is_required():
    wanted = {licences.canonical(n): v for f in ("requirements.txt", "requirements-test.txt")
              for n, v in licences.pinned(f).items()}
    differ = {}
    for name, version in wanted.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if found.partition("+")[0] != version:
            differ[name] = (found, version)
    assert not differ


def test_lower_bounds_are_not_above_the_pins():
    from packaging.version import Version

    pins = {**licences.pinned("requirements.txt"), **licences.pinned("requirements-test.txt")}
    pins = {licences.canonical(name): Version(version) for name, version in pins.items()}
    for line in versions.declared():
        name, _, low = line.partition(">=")
        assert pins[licences.canonical(name)] >= Version(low), line


def test_other_versions_take_every_declared_dependency():
    lowest, newest = versions.requirements("lowest"), versions.requirements("newest")
    project = tomllib.loads((catalog.root() / "pyproject.toml").read_text())["project"]
    assert [line.replace("==", ">=") for line in lowest[: len(project["dependencies"])]] == project["dependencies"]
    assert newest[: len(project["dependencies"])] == project["dependencies"]
    assert "pytest" in lowest
    assert len({re.split("[=>]", line)[0] for line in lowest}) == len(lowest)
    with pytest.raises(ValueError, match="kind='oldest'"):
        versions.requirements("oldest")
