"""The page in a real Chromium, against a service of its own: what people see, do, and are told when parts are down."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from service.api_keys import make_key
from tests.artifacts import USER_IDS, tiny_artifact
from tests.page.chromium import chromium_path
from tests.service_process import service_process

WIDE: ViewportSize = {"width": 1300, "height": 900}
NARROW: ViewportSize = {"width": 360, "height": 740}
PATIENCE_MS = 60_000
WRITTEN = re.compile("llm|cache|template")
UNREACHABLE = "http://127.0.0.1:9"
"""The discard port: nothing answers there."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page") / "store"
    tiny_artifact(root)
    return root


@pytest.fixture(scope="module")
def address(store: Path) -> Iterator[str]:
    """A service whose language model is the tiny one, in process."""
    with service_process("--store", str(store), "--llm-dtype", "float32") as service:
        yield service.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("no chromium could be had: the page was not looked at")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()


def new_page(browser: Browser) -> Page:
    """A wide page that has patience with a busy machine."""
    page = browser.new_page(viewport=WIDE)
    page.set_default_timeout(PATIENCE_MS)
    return page


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains of: script errors, refused requests, broken policies."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, complaints: list[str]) -> Iterator[Page]:
    """The page, opened wide, with its first user's recommendations."""
    page = new_page(browser)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if address not in request.url else None)
    page.goto(address)
    yield page
    page.close()


def test_it_opens_with_a_user_and_asks_nobody_else(page, complaints):
    """Tokens, history and items of the first user; no request leaves the service, nothing is complained of."""
    expect(page.locator("#items button")).not_to_have_count(0)
    expect(page.locator("#tokens .chip")).to_have_count(6)
    expect(page.locator("#history li")).not_to_have_count(0)
    expect(page.locator("#model")).to_contain_text("explained by")
    assert complaints == []


def test_a_search_finds_a_user(page):
    """Typing narrows the list; choosing shows that user's items."""
    wanted = str(USER_IDS[-1])
    page.locator("#user-search").fill(wanted)
    choice = page.locator("#users button").filter(has_text=wanted).first
    choice.click()
    expect(choice).to_have_attribute("aria-current", "true")
    expect(page.locator("#items button")).not_to_have_count(0)


def test_an_explanation_streams_in_with_what_it_rests_on(page, complaints):
    """Text, source, evidence and times; what it rests on is lit among the user's own tokens and past items."""
    page.locator("#items button").first.click()
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("aria-busy", "false")
    expect(answer.locator(".text")).not_to_be_empty()
    expect(answer.locator(".source")).to_have_class(WRITTEN)
    expect(answer.locator(".pairs li")).not_to_have_count(0)
    expect(answer.locator(".times")).to_have_attribute("aria-label", re.compile("ms in all"))
    expect(page.locator("#tokens .lit")).not_to_have_count(0)
    expect(answer.locator(".past li")).not_to_have_count(0)
    expect(page.locator("#history .lit")).to_have_count(answer.locator(".past li").count())
    assert complaints == []


def test_what_if_it_were_another_user(page):
    """The same item with another user's tokens stands beside; what only one of the two texts says is marked."""
    page.locator("#items button").first.click()
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    page.locator("#whatif").check()
    expect(page.locator(".answer[aria-busy=false]")).to_have_count(2)
    expect(page.locator(".answer .whose")).to_have_text(
        [re.compile("^For user"), re.compile("^With the tokens of user")]
    )
    expect(page.locator("#difference")).to_have_text(re.compile("^(Both texts are the same|Marked)"))
    page.locator("#whatif").uncheck()
    expect(page.locator(".answer")).to_have_count(1)


def test_a_session_is_made_of_chosen_items(page):
    """Each chosen item changes what is recommended; none of the chosen comes back, and one can be taken out again."""
    page.locator("#mode-session").click()
    page.locator("#item-search").fill("tale 2")
    page.locator("#found-items button").first.click()
    expect(page.locator("#session button")).to_have_count(1)
    expect(page.locator("#items")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#tokens .chip")).to_have_count(6)
    expect(page.locator("#items")).to_have_attribute("aria-busy", "false")
    chosen = page.locator("#session button").first.inner_text().removesuffix(" remove")
    expect(page.locator("#items .title").get_by_text(chosen, exact=True)).to_have_count(0)
    page.locator("#items button").first.click()
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#session .lit")).to_have_count(1)
    page.locator("#session button").first.click()
    expect(page.locator("#session button")).to_have_count(0)


def test_keys_alone_are_enough(page):
    """Tab reaches the skip link first; Enter on it and one more Tab stand on the first item; Enter explains it."""
    expect(page.locator("#items button")).not_to_have_count(0)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#items button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(page, scheme):
    """Names, roles, contrast, headings: axe finds nothing amiss, with an explanation and its what-if in sight."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.locator("#whatif").evaluate("box => { box.checked = true }")
    page.locator("#items button").first.click()
    expect(page.locator(".answer[aria-busy=false]")).to_have_count(2)
    found = Axe().run(page).response["violations"]
    assert [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found] == []


def test_a_narrow_screen_needs_no_sideways_scrolling(page):
    """At 360 pixels nothing sticks out, before an explanation and with one, and the explanation comes into view."""
    page.set_viewport_size(NARROW)
    page.locator("#items button").first.click()
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=NARROW["width"])
    expect(page.locator("#why-item")).to_be_in_viewport()


def test_a_language_model_that_is_down_is_told(browser, store):
    """The template answers, and the page says that it does and why."""
    with service_process("--store", str(store), "--llm", UNREACHABLE) as service:
        page = new_page(browser)
        page.goto(service.address)
        page.locator("#items button").first.click()
        expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
        expect(page.locator(".answer .source")).to_have_class("badge source template")
        expect(page.locator(".answer .note")).to_be_visible()
        page.close()


def test_a_service_that_is_gone_is_told(browser, store):
    """No blank page and no endless waiting: an alert says that nobody answers."""
    with service_process("--store", str(store), "--llm", "none") as service:
        page = new_page(browser)
        page.goto(service.address)
        expect(page.locator("#items button")).not_to_have_count(0)
    page.locator("#items button").first.click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.close()


def test_a_key_that_is_asked_for_can_be_given(browser, store):
    """With API keys set the page asks for one, and works with it."""
    key = make_key("page", "serve")
    with service_process("--store", str(store), "--llm", "none", BEAT_API_KEYS=key.entry) as service:
        page = new_page(browser)
        page.goto(service.address)
        page.locator("#key").fill(key.secret)
        page.locator("#key-form button").click()
        expect(page.locator("#items button")).not_to_have_count(0)
        expect(page.locator("#key-form")).to_be_hidden()
        page.close()
