"""The arithmetic behind SCALE.md, and the page against what the script finds."""

from typing import Any

import pytest

from deploy import capacity, costs, scale
from deploy.counting import Count, Counted, ModelUse
from deploy.recorder import Call
from service.store.dynamodb.tables import FEEDBACK, SAYINGS, TALLY_SHARDS
from tests.deploy.counts import counted

BILLION = costs.Load(1_000_000_000)


def item(text: str, **attributes: Any) -> dict[str, dict[str, Any]]:
    return {"saying_id": {"S": text}, **attributes}


class TestUnits:
    @pytest.mark.parametrize(
        ("value", "size"),
        [
            ({"S": "né"}, 3), ({"N": "12345"}, 4), ({"N": "-1.5"}, 3), ({"BOOL": True}, 1),
            ({"L": [{"S": "ab"}, {"S": "c"}]}, 8),
        ],
    )  # fmt: skip
    def test_an_item_is_its_names_and_values(self, value: dict[str, Any], size: int) -> None:
        assert capacity.item_bytes({"name": value}) == len("name") + size

    @pytest.mark.parametrize(("size", "units"), [(0, 1), (4096, 1), (4097, 2)])
    def test_a_read_counts_in_four_kilobytes_and_half_when_it_may_be_late(self, size: int, units: int) -> None:
        assert capacity.read_units(size, consistent=True) == units
        assert capacity.read_units(size, consistent=False) == units / 2

    def test_a_write_counts_in_kilobytes_of_the_larger_of_before_and_after(self) -> None:
        assert capacity.write_units({}, {}) == 1
        assert capacity.write_units(item("x" * 2000), {}) == 2

    def test_an_index_counts_only_what_changes_in_it(self) -> None:
        drawn = item("x", draw_shelf={"N": "1"}, draw={"N": "2"})

        assert capacity.index_write_units(SAYINGS, {}, drawn) == 1
        assert capacity.index_write_units(SAYINGS, drawn, drawn | {"upvotes": {"N": "1"}}) == 0
        assert capacity.index_write_units(FEEDBACK, {}, drawn) == 0


class TestModel:
    def test_prices_fall_with_the_months_volume(self) -> None:
        steps = ((300.0, 2.0), (float("inf"), 1.0))

        assert costs.stepped(10, steps) == pytest.approx(20)
        assert costs.stepped(20, steps) == pytest.approx((300 * 2 + 300 * 1) / 30)

    def test_dynamodb_costs_what_was_counted_as_often_as_it_happens(self) -> None:
        nothing = dict.fromkeys(costs.events_a_day(BILLION, 1), Count(()))
        vote = Count((Call("TransactWriteItems", "", (), read_units=2, write_units=6),))

        cost = costs.dynamodb_cost(Counted(nothing | {"vote": vote}), BILLION, 1)

        assert cost == pytest.approx(45e6 * (6 * 0.625 + 2 * 0.125) / 1e6)

    def test_models_cost_no_more_than_the_cap(self) -> None:
        dear = {"live": ModelUse(1, 1, 100.0), "round": ModelUse(1, 1, 100.0)}

        day = costs.daily_costs(Counted(dict.fromkeys(costs.events_a_day(BILLION, 1), Count(())), dear), BILLION)

        assert day["Models, at the cap"] == 5.0

    def test_more_shards_are_asked_for_only_where_votes_would_meet(self) -> None:
        assert costs.shards_for(votes=1) == 1
        assert costs.shards_for(votes=1736) * costs.conflict_free_votes(5) >= 1736


@pytest.mark.slow
class TestPage:
    def test_its_tables_are_what_the_script_finds(self) -> None:
        page = scale.PAGE.read_text()

        assert scale.tables_in(page) == scale.tables(counted()), "run `make scale`"

    def test_updating_it_mends_whatever_has_drifted(self) -> None:
        page = scale.PAGE.read_text()

        drifted = page.replace("| 50 | 1 | 4 |", "| 50 | 50 | 200 |")

        assert drifted != page
        assert scale.updated(drifted, scale.tables(counted())) == page

    def test_a_table_without_a_place_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="0 places"):
            scale.updated("", {"costs": ""})


@pytest.mark.slow
class TestCounts:
    def test_a_warm_saying_asks_aws_for_nothing(self) -> None:
        assert counted().counts["warm saying"].operations == {}

    def test_a_saying_from_the_database_is_one_query(self) -> None:
        assert counted().counts["saying from the database"].operations == {"Query main_humor/index/by_draw": 1}

    def test_fifty_cold_instances_make_one_round(self) -> None:
        assert (counted().cold_rounds, counted().cold_model_calls) == (1, 4)

    @pytest.mark.parametrize("vote", ["vote", "vote changed", "vote taken back", "vote on a comparison"])
    def test_a_vote_is_one_transaction(self, vote: str) -> None:
        operations = counted().counts[vote].operations

        assert [times for name, times in operations.items() if name.startswith("Transact")] == [1]

    def test_statistics_are_one_query_a_shard(self) -> None:
        assert counted().counts["statistics"].operations == {"Query service_state": TALLY_SHARDS}

    def test_a_batch_is_charged_item_by_item_and_for_those_that_are_missing(self) -> None:
        (batch,) = (
            call
            for call in counted().counts["comparison replayed, over the cap"].calls
            if call.operation == "BatchGetItem"
        )

        assert (batch.resource, batch.read_units) == ("saying_comparisons", 1)
