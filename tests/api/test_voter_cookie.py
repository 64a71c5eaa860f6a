"""The voter's cookie is set in the form that the browser of a page keeps: on our site, and on allowed ones."""

from dataclasses import replace

import pytest
from multidict import CIMultiDict

from service.api.http import UNKNOWN_CALLER, Caller, Request
from service.api.voter_cookie import VoterCookie

PAGE = "https://page.example"
VOTER = "v" * 32
COOKIE = VoterCookie(frozenset({PAGE}))


class Secure(Caller):
    is_secure = True


def asked(**headers: str) -> Request:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Request("POST", "/feedback", named, caller=Secure())


def site_of(request: Request) -> str:
    """The attributes that say on which sites the browser keeps and sends the cookie."""
    COOKIE.set(request, VOTER)
    start = f"sayings_voter={VOTER}; Path=/; Max-Age=31536000; HttpOnly; "
    assert request.new_cookie.startswith(start)
    return request.new_cookie.removeprefix(start)


def test_it_is_kept_by_an_allowed_page_on_another_site() -> None:
    request = asked(Origin=PAGE, Sec_Fetch_Site="cross-site")

    assert site_of(request) == "SameSite=None; Secure; Partitioned"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": PAGE},
        {"Origin": PAGE, "Sec_Fetch_Site": "same-site"},
        {"Origin": PAGE, "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    ],
    ids=str,
)
def test_it_stays_on_its_site_everywhere_else(headers: dict[str, str]) -> None:
    assert site_of(asked(**headers)) == "SameSite=Lax; Secure"


def test_without_https_no_other_site_would_keep_it() -> None:
    request = replace(asked(Origin=PAGE, Sec_Fetch_Site="cross-site"), caller=UNKNOWN_CALLER)

    assert site_of(request) == "SameSite=Lax"


def test_it_is_removed_in_the_form_in_which_it_was_set() -> None:
    request = asked(Origin=PAGE, Sec_Fetch_Site="cross-site")

    COOKIE.remove(request)

    assert request.new_cookie == ("sayings_voter=; Path=/; Max-Age=0; HttpOnly; SameSite=None; Secure; Partitioned")


@pytest.mark.parametrize(
    ("cookies", "voter"),
    [
        (f"sayings_voter={VOTER}", VOTER),
        (f"a=b; sayings_voter={VOTER}; c=d", VOTER),
        (f"a=b;sayings_voter={VOTER}", VOTER),
        ("", None),
        (f"not_sayings_voter={VOTER}", None),
        ("sayings_voter=short", None),
        (f"sayings_voter={VOTER}!", None),
    ],
)  # fmt: skip
def test_the_voter_is_read_from_among_other_cookies(cookies: str, voter: str | None) -> None:
    assert COOKIE.read(asked(Cookie=cookies)) == voter
