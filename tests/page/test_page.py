"""Runs the page's own tests in web/: its types, its logic, and every flow in real browsers with a real server."""

import pytest

from service.cli.describing import document
from tests.npm import WEB, npm

pytestmark = pytest.mark.slow


async def test_the_page_agrees_with_the_api() -> None:
    (WEB / "generated").mkdir(exist_ok=True)
    (WEB / "generated/openapi.json").write_bytes(await document())

    npm("run", "types")
    npm("run", "check")


def test_the_linter_finds_nothing() -> None:
    npm("run", "lint")


def test_the_logic_is_right() -> None:
    npm("test")


@pytest.mark.usefixtures("built_page")
def test_every_flow_works_in_every_browser() -> None:
    npm("run", "test:browser")
