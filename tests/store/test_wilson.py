"""What a saying is worth by its votes. The interval itself is held against scipy's in tests/statistics."""

import pytest

from service.store.wilson import wilson, worth


def test_without_votes_a_saying_has_no_worth() -> None:
    assert worth(0, 0) is None


def test_it_is_the_lower_end_of_the_interval() -> None:
    assert worth(7, 1) == wilson(7 / 8, 8)[0] == pytest.approx(0.529, abs=1e-3)


@pytest.mark.parametrize(
    ("better", "worse"), [((20, 2), (1, 0)), ((2, 0), (1, 0)), ((1, 1), (0, 1)), ((10, 0), (10, 1))]
)
def test_what_many_like_is_worth_more(better: tuple[int, int], worse: tuple[int, int]) -> None:
    assert (worth(*better) or 0.0) > (worth(*worse) or 0.0)
