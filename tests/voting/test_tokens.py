"""A token proves one serve to one voter for a day, and nobody can make one."""

import base64
import re
import string

import pytest

from service.domain import Attribution, saying_id
from service.limits import DAY_SECONDS
from service.voting.day_secrets import DaySecrets
from service.voting.tokens import TOKEN_LENGTH, VoteTokens
from telemetry.events import SILENCE
from tests.fakes import FakeStore
from tests.support import Clock

BLIND, NAMED, OPEN = Attribution.BLIND, Attribution.NAMED, Attribution.OPEN
ID, ANN = saying_id("a saying"), "a" * 32


@pytest.fixture
def clock() -> Clock:
    return Clock(20_000 * DAY_SECONDS + 3_600)


@pytest.fixture
async def secrets(clock: Clock) -> DaySecrets:
    secrets = DaySecrets(FakeStore().as_store(), SILENCE, clock=clock)
    await secrets.refresh()
    return secrets


@pytest.fixture
def tokens(clock: Clock, secrets: DaySecrets) -> VoteTokens:
    return VoteTokens(secrets, clock=clock)


def made(tokens: VoteTokens, attribution: Attribution = BLIND) -> str:
    token = tokens.make(ID, ANN, attribution)
    assert token is not None
    return token


@pytest.mark.parametrize("attribution", Attribution)
async def test_a_token_proves_what_the_voter_was_told(tokens: VoteTokens, attribution: Attribution) -> None:
    token = made(tokens, attribution)

    assert await tokens.read(token, ID, ANN) is attribution


def test_a_token_is_short_and_fits_into_a_url(tokens: VoteTokens) -> None:
    token = made(tokens)

    assert re.fullmatch(r"[A-Za-z0-9_-]{28}", token)
    assert len(token) == TOKEN_LENGTH


async def test_a_token_proves_nothing_for_another_saying_or_voter(tokens: VoteTokens) -> None:
    token = made(tokens)

    assert await tokens.read(token, saying_id("another"), ANN) is None
    assert await tokens.read(token, ID, "b" * 32) is None


async def test_another_process_of_the_fleet_reads_it(tokens: VoteTokens, clock: Clock, secrets: DaySecrets) -> None:
    token = made(tokens, NAMED)

    assert await VoteTokens(secrets, clock=clock).read(token, ID, ANN) is NAMED


@pytest.mark.parametrize(
    ("seconds", "proves"), [(0.0, BLIND), (23 * 3_600.0, BLIND), (DAY_SECONDS, BLIND), (DAY_SECONDS + 1, None)]
)
async def test_a_token_is_good_for_a_day_also_over_midnight(
    tokens: VoteTokens, clock: Clock, secrets: DaySecrets, seconds: float, proves: Attribution | None
) -> None:
    token = made(tokens)

    clock.forward(seconds)
    await secrets.refresh()

    assert await tokens.read(token, ID, ANN) is proves


async def test_no_character_of_a_token_can_be_changed(tokens: VoteTokens) -> None:
    token = made(tokens)
    letters = string.ascii_letters + string.digits + "-_"

    changed = [
        token[:place] + letter + token[place + 1 :]
        for place in range(len(token))
        for letter in letters
        if letter != token[place]
    ]

    assert {await tokens.read(each, ID, ANN) for each in changed} == {None}


async def test_a_process_that_has_just_started_asks_for_the_secret(tokens: VoteTokens, clock: Clock) -> None:
    store = FakeStore()
    started = VoteTokens(DaySecrets(store.as_store(), SILENCE, clock=clock), clock=clock)

    assert await started.read(made(tokens), ID, ANN) is BLIND
    assert store.days == ["2024-10-04"]


@pytest.mark.parametrize("moment", [0, 20_000 * 86_400 - 90_000, 20_000 * 86_400 + 90_000, 2**32 - 1])
async def test_no_secret_is_asked_for_that_a_token_of_today_cannot_need(clock: Clock, moment: int) -> None:
    store = FakeStore()
    tokens = VoteTokens(DaySecrets(store.as_store(), SILENCE, clock=clock), clock=clock)
    forged = base64.urlsafe_b64encode(moment.to_bytes(4, "big") + bytes(17)).decode()

    assert await tokens.read(forged, ID, ANN) is None
    assert store.days == []


async def test_the_signature_of_another_day_is_worth_nothing(tokens: VoteTokens, clock: Clock) -> None:
    raw = base64.urlsafe_b64decode(made(tokens))
    tomorrow = (int(clock()) + int(DAY_SECONDS)).to_bytes(4, "big")

    assert await tokens.read(base64.urlsafe_b64encode(tomorrow + raw[4:]).decode(), ID, ANN) is None


@pytest.mark.parametrize(
    "garbage",
    [
        "", "x", "=", "====", "A" * 28, "A" * 27, "A" * 100, "-" * 28, "\xe9" * 28, "\ud800" * 28, "\0" * 28,
        "A\n" * 14, " " * 28,
    ],
    ids=ascii,
)  # fmt: skip
async def test_garbage_is_no_token(tokens: VoteTokens, garbage: str) -> None:
    assert await tokens.read(garbage, ID, ANN) is None
    assert await tokens.read(made(tokens)[:-1] + garbage, ID, ANN) is None


async def test_without_the_secret_of_today_there_are_no_tokens_and_no_lots(clock: Clock) -> None:
    tokens = VoteTokens(DaySecrets(FakeStore().as_store(), SILENCE, clock=clock), clock=clock)

    assert tokens.make(ID, ANN, OPEN) is None
    assert tokens.draw_blind(ID, ANN) is None
    assert await tokens.read("A" * TOKEN_LENGTH, ID, ANN) is None


def test_half_of_the_lots_are_blind_for_a_voter_and_for_a_saying(tokens: VoteTokens) -> None:
    of_a_voter = sum(tokens.draw_blind(saying_id(str(number)), ANN) is True for number in range(2_000))
    of_a_saying = sum(tokens.draw_blind(ID, f"{number:032}") is True for number in range(2_000))

    assert 850 < of_a_voter < 1_150
    assert 850 < of_a_saying < 1_150


def test_a_lot_stays_the_same_while_the_day_lasts(tokens: VoteTokens, clock: Clock) -> None:
    sayings = [saying_id(str(number)) for number in range(50)]
    first = [tokens.draw_blind(saying, ANN) for saying in sayings]

    clock.forward(22 * 3_600)
    later = [tokens.draw_blind(saying, ANN) for saying in sayings]
    clock.forward(3_600)
    tomorrow = [tokens.draw_blind(saying, ANN) for saying in sayings]

    assert later == first
    assert tomorrow != first
