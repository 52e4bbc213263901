"""axe-core on a page: what it calls serious or critical, one line per place."""
from __future__ import annotations

from typing import Any

from tests.browser.page import ANSWER_S

GRAVE = ("serious", "critical")
SHOWN = 160  # characters of an element's source that a line keeps


def grave(page: Any, within: str = "") -> list[str]:
    """Serious and critical violations of the page, or of what the selector ``within`` finds, one line per element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=within or None, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['impact']} {violation['id']}: {node['target']} {node['html'][:SHOWN]!r}: "
        + "; ".join(check["message"] for check in (*node["any"], *node["all"], *node["none"]))
        for violation in found if violation["impact"] in GRAVE for node in violation["nodes"]
    ]


def assert_clean(page: Any, within: str = "") -> None:
    """Fail with the list of grave violations, if there is one."""
    found = grave(page, within)
    assert not found, f"{len(found)} violations:\n" + "\n".join(found[:20])


def open_everything(page: Any) -> None:
    """Open every ``<details>``, and wait for the data tables that an explorer makes on request."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for table in page.locator(".gs-table").all():
        table.locator("td, p").first.wait_for(state="attached", timeout=1000 * ANSWER_S)


def focused(page: Any) -> str:
    """What has the keyboard's focus, by role and name as a screen reader says them."""
    return str(page.evaluate(
        "() => { const e = document.activeElement; const type = e.getAttribute('type');"
        " const role = e.getAttribute('role') || (type === 'range' ? 'slider' : type) || e.tagName.toLowerCase();"
        " return `${role} ${e.getAttribute('aria-label') || e.textContent.trim().slice(0, 40)}`; }"
    ))
