"""The page's own tests, beside its code in web/: its logic, and every flow in a real browser on a real server."""

import pytest

from service.cli.describing import document
from tests.npm import WEB, npm

pytestmark = pytest.mark.slow


async def test_the_page_knows_the_api_as_it_is() -> None:
    (WEB / "generated").mkdir(exist_ok=True)
    (WEB / "generated/openapi.json").write_bytes(await document())

    npm("run", "types")
    npm("run", "check")


def test_the_linter_has_nothing_to_say() -> None:
    npm("run", "lint")


def test_logic() -> None:
    npm("test")


@pytest.mark.usefixtures("built_page")
def test_every_flow_in_a_browser() -> None:
    npm("run", "test:browser")
