"""A real browser: typed, shared, gone back from, without scripts, dark, narrow, by keyboard; no other host is asked."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None or any(importlib.util.find_spec(name) is None for name in ("playwright", "axe_playwright_python")):
    pytest.skip("needs playwright, axe and Debian's chromium", allow_module_level=True)
pytest.importorskip("fastapi", reason="needs the server extra")

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import Browser, Page, Route, sync_playwright  # noqa: E402

GUIDE = ("overview", "training-memory", "inference-memory", "scenario-llm", "scenario-drone", "networking", "glossary")
PAGES = (
    "/", "/plan", "/memory", "/train", "/serve", "/simulate-serve", "/allreduce", "/storage", "/checkpoint", "/cost",
    "/memory/compare", "/plan/compare", "/memory/explain/total_bytes?model=7B", "/memory?model=nonsense",
    "/guide", "/guide/search?q=roofline",
    *(f"/guide/{name}" for name in GUIDE),
    "/catalog/accelerators", "/catalog/accelerators/h100-sxm",
    "/accuracy/memory", "/api", "/explorer", "/explorer/anomalies",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(lake: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "groundplan", "server", "--port", str(port), "--lake", lake]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def _page(browser: Browser, address: str, **settings: Any) -> tuple[Page, list[str]]:
    """Return a page that may ask its own server alone, and what went wrong on it."""
    page = browser.new_context(**settings).new_page()
    wrong: list[str] = []

    def only_home(route: Route) -> None:
        if route.request.url.startswith((address, "data:")):
            route.continue_()
        else:
            wrong.append(f"asked {route.request.url}")
            route.abort()

    page.route("**/*", only_home)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    return page, wrong


@pytest.mark.parametrize("settings", [
    {"viewport": {"width": 1280, "height": 900}},
    {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
    {"viewport": {"width": 1280, "height": 900}, "java_script_enabled": False},
], ids=["desktop", "phone in the dark", "no scripts"])  # fmt: skip
def test_pages_fit_their_window_are_accessible_and_ask_no_other_host(
    browser: Browser, address: str, settings: dict[str, Any]
) -> None:
    page, wrong = _page(browser, address, **settings)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PAGES:
        asked.clear()
        answer = page.goto(address + path)
        assert answer and answer.status == (422 if "nonsense" in path else 200), path
        assert page.locator("h1").first.is_visible()
        assert len(asked) <= 10
        assert page.locator("main").bounding_box()["width"] <= settings["viewport"]["width"]  # type: ignore[index]
        if settings.get("java_script_enabled", True):
            assert page.evaluate("document.documentElement.scrollWidth") <= settings["viewport"]["width"], path
            found = Axe().run(page)
            assert found.violations_count == 0, (path, found.generate_report())
    assert all("422" in line for line in wrong)
    page.context.close()


def test_what_is_typed_is_answered_shared_and_gone_back_from(browser: Browser, address: str) -> None:
    page, wrong = _page(browser, address)
    page.goto(f"{address}/memory?model=llama-2-7b&accelerator=a100-80")
    first = page.locator(".headline").inner_text()
    page.fill("#in-accelerator", "h200")
    page.wait_for_function("text => document.querySelector('.headline').innerText !== text", arg=first)
    second, link = page.locator(".headline").inner_text(), page.url
    assert "accelerator=h200" in link
    page.press("#in-accelerator", "Enter")
    page.wait_for_load_state()
    page.fill("#in-model", "nonsense")
    page.wait_for_selector(".error")
    assert "unknown model" in page.locator(".error").inner_text()
    other, also_wrong = _page(browser, address)
    other.goto(link)
    assert other.locator(".headline").inner_text() == second
    page.goto(f"{address}/cost")
    page.go_back()
    assert page.url.startswith(f"{address}/memory")
    assert not also_wrong and all("422" in line for line in wrong)
    page.context.close()
    other.context.close()


def test_a_calculation_works_without_scripts_and_by_keyboard_alone(browser: Browser, address: str) -> None:
    page, _ = _page(browser, address, java_script_enabled=False)
    page.goto(f"{address}/cost")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    page.focus("#in-accelerators")
    page.keyboard.press("Control+A")
    page.keyboard.type("8")
    page.keyboard.press("Enter")
    page.wait_for_url("**accelerators=8**")
    assert "$" in page.locator(".headline").inner_text()
    page.context.close()


def test_what_takes_long_shows_how_far_it_is_and_can_be_stopped(browser: Browser, address: str) -> None:
    page, wrong = _page(browser, address)
    page.goto(f"{address}/simulate-serve?model=llama-3.1-8b&accelerator=h100-sxm&rate=4&count=60000")
    first = page.locator(".headline").inner_text()
    page.fill("#in-rate", "5")
    page.click("p.job button")
    page.wait_for_selector("p.job", state="detached")
    assert page.locator(".headline").inner_text() == first
    page.fill("#in-rate", "6")
    page.wait_for_selector("p.job progress")
    page.wait_for_function("text => document.querySelector('.headline').innerText !== text", arg=first)
    assert page.locator("p.job").count() == 0 and not wrong
    page.context.close()


def test_a_chart_says_its_values_and_its_script_is_asked_for_where_there_is_one(browser: Browser, address: str) -> None:
    page, wrong = _page(browser, address)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/memory")
    assert not any("vega" in url for url in asked)
    page.goto(f"{address}/accuracy/memory")
    page.locator("figure[data-chart]").first.scroll_into_view_if_needed()
    page.wait_for_selector("figure[data-chart] svg", state="attached")
    page.locator("figure[data-chart] .mark-symbol path").nth(3).hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "measured" in page.locator("#vg-tooltip-element").inner_text()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert not wrong
    page.context.close()
