"""What a browser measures of a page: how much it shifts, and what stands in the way of people."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_WATCH = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift" });
}"""


def watch_shifts(page: Page) -> None:
    """Add up layout shifts from now on, those apart that somebody caused by a key or a click."""
    page.evaluate(_WATCH)


def shifts(page: Page) -> float:
    """The sum of the scores, of which 0.1 is what the web calls good."""
    found: float = page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(window.shifted))))"
    )
    return found


def accessibility(page: Page) -> list[str]:
    """Serious and critical findings of axe-core, with where they are."""
    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
