"""The web UI, in a real browser."""

import os
import re
import shutil
import uuid

from playwright.sync_api import Page, TimeoutError, expect, sync_playwright

from operations.validate.check import CheckError
from operations.wire import PATIENCE, Endpoint

# Nothing the browser does on its own account; QUIC would pass the ingress by.
QUIET = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What the Playground shows in place of an answer.
ERROR = "An error occurred"
FLOWS = "async () => (await fetch('/api/v1/flows/?get_all=true&header_flows=true')).json()"


def runs_flow(at: Endpoint, address: str | None, user: str, password: str, flow: str) -> None:
    """A user signs in, asks the flow something in its Playground, and reads an answer."""
    # In addition to its own authorities, the browser trusts the one certificate that this process has just verified.
    arguments = [*QUIET, f"--ignore-certificate-errors-spki-list={at.certificate_pin()}"]
    if address:
        arguments.append(f"--host-resolver-rules=MAP {at.host} {address}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),  # without one, playwright's own, when it is installed
            chromium_sandbox=os.geteuid() != 0,  # Chromium's sandbox does not start as root
            args=arguments,
        )
        page = browser.new_page(base_url=at.origin)
        page.set_default_timeout(60_000)  # ms; a page takes up to 15 s on two busy cores
        try:
            _sign_in(page, user, password)
            page.goto(f"/flow/{_id(page, flow)}")
            _ask(page)
        except TimeoutError as error:
            raise CheckError(f"{str(error).partition(chr(10))[0]} {_shown(page)}") from None


def _shown(page: Page) -> str:
    """The address of a page, and the text of its dialogs and notices."""
    notices = page.locator("[role=dialog], [role=alertdialog], [role=alert], [role=status]").all_inner_texts()
    said = " · ".join(" ".join(text.split())[:200] for text in notices if text.strip())
    return f"The page is {page.url}, and shows {said or 'no notice'}"


def _sign_in(page: Page, user: str, password: str) -> None:
    page.goto("/login")
    page.get_by_placeholder("Username").fill(user)
    page.get_by_placeholder("Password").fill(password)
    with page.expect_response("**/api/v1/login") as login:
        page.get_by_role("button", name="Sign in").click()
    if not login.value.ok:
        raise CheckError(f"the UI does not let {user} in: {login.value.status}")
    page.wait_for_url(lambda url: not url.endswith("/login"))


def _id(page: Page, flow: str) -> str:
    """The id under which the signed-in user knows the flow."""
    for known in page.evaluate(FLOWS):
        if flow in (known["id"], known["endpoint_name"]):
            return str(known["id"])
    raise CheckError(f"the UI's user has no flow {flow}")


def _ask(page: Page) -> None:
    question = f"validate {uuid.uuid4().hex}"
    page.get_by_test_id("playground-btn-flow-io").click()
    page.get_by_test_id("input-chat-playground").fill(question)
    page.get_by_test_id("button-send").click()
    asked = f"//*[@data-testid='chat-message-User-{question}']"
    said = f"*[@data-testid='div-chat-message' or normalize-space(text())='{ERROR}']"
    reply = page.locator(f"xpath={asked}/following::{said}").first
    milliseconds = 1000 * (PATIENCE.read or 0)  # 0 waits for ever here, as None does there
    expect(reply).to_have_text(re.compile(r"\S"), timeout=milliseconds)
    if reply.inner_text() == ERROR:
        raise CheckError("the flow fails in the Playground")
