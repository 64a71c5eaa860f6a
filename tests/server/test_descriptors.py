"""How many places a process has file descriptors for, on systems with other limits than this one."""

import resource

import pytest

from service.server.descriptors import places_that_fit

UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[tuple[int, int]]:
    """The soft and hard limit, of which the last is in force."""
    history: list[tuple[int, int]] = [request.param]
    monkeypatch.setattr(resource, "getrlimit", lambda _: history[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: history.append(wanted))
    return history


@pytest.mark.parametrize(
    ("limits", "fit", "soft"),
    [
        ((1_024, 1_024), 450, 1_024),
        ((20_000, 20_000), 450, 20_000),
        ((UNLIMITED, UNLIMITED), 450, UNLIMITED),
        ((256, UNLIMITED), 450, 980),
        ((256, 4_096), 450, 980),
        ((64, 512), 216, 512),
        ((512, 512), 216, 512),
        ((64, 64), 16, 64),
        ((4, 4), 1, 4),
    ],
    indirect=["limits"],
)
def test_the_soft_limit_is_raised_or_fewer_places_fit(limits: list[tuple[int, int]], fit: int, soft: int) -> None:
    hard = limits[0][1]

    places, _ = places_that_fit(450, reserve=80)

    assert places == fit
    assert limits[-1] == (soft, hard)


@pytest.mark.parametrize("limits", [(256, UNLIMITED)], indirect=True)
@pytest.mark.usefixtures("limits")
def test_a_limit_that_cannot_be_raised_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)

    assert places_that_fit(450, reserve=80) == (88, 256)
