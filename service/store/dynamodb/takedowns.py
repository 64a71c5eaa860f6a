"""Sayings that are taken down in DynamoDB, and the reports of visitors that ask for it.

A withdrawal is an item of its own and a mark on the saying's item, which leaves both indexes by losing a key of each.
A saying that is not stored gets an item with nothing but the mark, so that a later put finds its id taken.
"""

from functools import partial
from typing import TYPE_CHECKING

from service.domain import Report, ReportReason, ReportStatus, Withdrawal, WithdrawnBy
from service.limits import DAY_SECONDS, DEFAULT_RETENTION
from service.store.base import ReportedSaying, ReportResult, Withdrawals
from service.store.dynamodb import writes
from service.store.dynamodb.items import count, number, saying_key, text
from service.store.dynamodb.reading import Reading
from service.store.dynamodb.sayings import DynamoSayings
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UpdateItemInputTypeDef

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

_REASON = "reason#"
_REPORTS_KEPT = DEFAULT_RETENTION.report_days * DAY_SECONDS
_IS_FIRST_OF_ITS_KIND = (
    "attribute_not_exists(reporters) OR (NOT contains(reporters, :reporter) AND NOT contains(networks, :network))"
)


class DynamoTakedowns(DynamoSayings):
    """The part of the Store protocol that is about withdrawals and reports."""

    async def withdraw_saying(self, withdrawal: Withdrawal) -> bool:
        places = [
            (self._sayings, saying_key(withdrawal.saying_id)),
            (self._state, writes.withdrawal_key(withdrawal.saying_id)),
        ]
        return await self._decide(places, partial(self._withdraw, withdrawal))

    async def restore_saying(self, saying_id: str, *, at: float) -> bool:
        places = [
            (self._sayings, saying_key(saying_id)),
            (self._state, writes.withdrawal_key(saying_id)),
            (self._state, writes.reports_key(saying_id)),
        ]
        return await self._decide(places, partial(self._restore, saying_id, at))

    async def withdrawal_revision(self) -> int:
        return count(await self._get(self._state, writes.WITHDRAWAL_REVISION_KEY), "revision")

    async def withdrawals(self) -> Withdrawals:
        # The revision is the first item of the query. One that is older than what follows is read again later; one that
        # is newer would hide a change.
        revision, *items = await self._all_of(writes.WITHDRAWALS) or [{}]
        up_to_date = [_to_withdrawal(item) for item in items if _is_in_force(item)]
        return Withdrawals(count(revision, "revision"), {each.saying_id: each for each in up_to_date})

    async def report_saying(self, report: Report) -> ReportResult:
        item = await self._update(_add_report(self._state, report), repeatable=True)
        status = ReportStatus.UNCHANGED if item is None else ReportStatus.RECORDED
        if item is None:
            item = await self._get(self._state, writes.reports_key(report.saying_id))
        return ReportResult(status, _counted(item))

    async def reported_sayings(self) -> list[ReportedSaying]:
        found = map(_to_reported, await self._all_of(writes.REPORTS))
        return sorted(found, key=lambda reported: reported.last_at, reverse=True)

    def _withdraw(self, withdrawal: Withdrawal, reading: Reading) -> "tuple[list[Write], bool]":
        saying_id = withdrawal.saying_id
        saying = reading.at(self._sayings, saying_key(saying_id))
        before = reading.at(self._state, writes.withdrawal_key(saying_id))
        was_up = not _is_in_force(before)
        if not was_up and withdrawal.withdrawn_by is WithdrawnBy.VISITORS:
            return [], was_up
        return [
            writes.put_withdrawal(self._state, withdrawal, before),
            writes.next_withdrawal_revision(self._state),
            writes.hide_saying(self._sayings, saying_id, saying),
        ], was_up

    def _restore(self, saying_id: str, at: float, reading: Reading) -> "tuple[list[Write], bool]":
        saying = reading.at(self._sayings, saying_key(saying_id))
        withdrawal = reading.at(self._state, writes.withdrawal_key(saying_id))
        reports = reading.at(self._state, writes.reports_key(saying_id))
        changes = []
        if _is_in_force(withdrawal):
            changes += [
                writes.end_withdrawal(self._state, withdrawal, at=at),
                writes.next_withdrawal_revision(self._state),
                *writes.show_saying(self._sayings, saying),
            ]
        if reports:
            changes.append(writes.settle_reports(self._state, saying_id, networks=len(reports["networks"]["SS"])))
        return changes, bool(changes)


def _is_in_force(withdrawal: "Item") -> bool:
    return bool(withdrawal) and "restored_at" not in withdrawal


def _to_withdrawal(item: "Item") -> Withdrawal:
    return Withdrawal(
        item["part"]["S"],
        item["reason"]["S"],
        WithdrawnBy(item["withdrawn_by"]["S"]),
        float(item["withdrawn_at"]["N"]),
    )


def _add_report(table: str, report: Report) -> "UpdateItemInputTypeDef":
    """Add a report to the item of its saying, on the condition that reporter and network are new to it."""
    return {
        "TableName": table,
        "Key": writes.reports_key(report.saying_id),
        "ConditionExpression": _IS_FIRST_OF_ITS_KIND,
        "UpdateExpression": "ADD reporters :reporters, networks :networks, #reason :one "
        "SET last_at = :at, #expiry = :expiry",
        "ExpressionAttributeNames": {"#reason": _REASON + report.reason, "#expiry": EXPIRY_ATTRIBUTE},
        "ExpressionAttributeValues": {
            ":reporter": text(report.reporter),
            ":network": text(report.network),
            ":reporters": {"SS": [report.reporter]},
            ":networks": {"SS": [report.network]},
            ":one": number(1),
            ":at": number(report.reported_at),
            ":expiry": number(int(report.reported_at + _REPORTS_KEPT)),
        },
        "ReturnValues": "ALL_NEW",
    }


def _counted(item: "Item") -> int:
    """The networks whose reports count: those that have reported since an operator restored the saying."""
    return len(item["networks"]["SS"]) - count(item, "settled")


def _to_reported(item: "Item") -> ReportedSaying:
    reasons = {reason: count(item, _REASON + reason) for reason in ReportReason if _REASON + reason in item}
    return ReportedSaying(item["part"]["S"], reasons, _counted(item), float(item["last_at"]["N"]))
