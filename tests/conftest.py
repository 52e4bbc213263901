"""What all tests share: one compute thread, and no silent skip where everything is required."""
from __future__ import annotations

import os

# Before numpy or torch is imported anywhere: workers of the test run share two cores.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

import pytest

REQUIRE_ALL = os.environ.get("GRADSCAPE_REQUIRE_ALL") == "1"
BROWSER_HINT = "browser tests were skipped: no Chromium; on Debian install it with: apt-get install chromium"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """With GRADSCAPE_REQUIRE_ALL=1 a skipped test is a failed one."""
    outcome = yield
    report = outcome.get_result()
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although GRADSCAPE_REQUIRE_ALL=1: {report.longrepr}"


def pytest_terminal_summary(terminalreporter, exitstatus, config) -> None:
    """Say last how to get the browser tests, when they could not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any("browser" in getattr(report, "keywords", ()) for report in skipped):  # whole files have none
        terminalreporter.write_line(BROWSER_HINT)
