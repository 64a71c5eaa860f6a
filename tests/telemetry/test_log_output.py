"""Lines that cannot be written are counted, and warnings are written at a bounded rate."""

import errno
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from telemetry.events import DependencyFailed, ModelReport, RequestServed
from telemetry.line_rates import MOST_KINDS, MOST_LINES, Kind, LineRate
from telemetry.log_output import StandardOutput
from telemetry.logs import LogListener, configure_logging
from tests.logging_capture import Log, captured_log

ANSWERED = ModelReport("gpt-4.1", 3, 2100.0)
L = TypeVar("L", bound=Log)
REFUSED = RequestServed("none", 503, 0.1, "overloaded")


class Disk(Log):
    """A disk that can be full."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


@contextmanager
def logging_to(log: L, rate: LineRate | None = None) -> Iterator[L]:
    """Logging as in a process of ours, and put back as it was."""
    with captured_log():
        configure_logging("INFO", log, rate)
        yield log
        logging.getLogger().handlers[0].close()


class TestLostLines:
    def test_they_are_counted_until_lines_are_written_again(self, capsys: pytest.CaptureFixture[str]) -> None:
        with logging_to(Disk()) as disk:
            disk.full = True
            for _ in range(3):
                LogListener().emit(ANSWERED)
            disk.full = False
            LogListener().emit(ANSWERED)
            LogListener().emit(ANSWERED)

        assert [record["message"] for record in disk.records] == [
            "the log is written again", "model took part in the round", "model took part in the round",
        ]  # fmt: skip
        assert (disk.records[0]["level"], disk.records[0]["lost"]) == ("WARNING", 3)
        assert capsys.readouterr().err == (
            "The log cannot be written (No space left on device). Its lines are lost until it can be written again.\n"
        )

    def test_a_disk_at_its_limit_is_not_reported_for_every_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        with logging_to(Disk()) as disk:
            for number in range(10):
                disk.full = number % 2 == 0
                LogListener().emit(ANSWERED)

        assert sum(record.get("lost", 0) for record in disk.records) == 5
        assert capsys.readouterr().err.count("\n") == 1

    def test_a_closed_file_is_no_error_of_the_code_that_logs(self, capsys: pytest.CaptureFixture[str]) -> None:
        with logging_to(Log()) as log:
            log.close()

            LogListener().emit(ANSWERED)

        assert capsys.readouterr().err.startswith("The log cannot be written (it is closed).")

    def test_a_torn_line_does_not_spoil_the_next(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        output = StandardOutput(writer)

        with pytest.raises(BlockingIOError):
            output.write("x" * 2**20)
        torn = os.read(reader, 2**20)
        output.write("next\n")
        output.write("last\n")
        rest = os.read(reader, 100)
        os.close(reader)
        os.close(writer)

        assert 0 < len(torn) < 2**20
        assert rest == b"\nnext\nlast\n"

    def test_a_record_that_cannot_be_formatted_is_named(self) -> None:
        class Odd(str):
            def __str__(self) -> str:
                raise LookupError("canary")

        with captured_log() as log:
            logging.getLogger("a.library").error("odd: %s", Odd())

        assert (log.only["logger"], log.only["message"]) == ("a.library", "a record could not be formatted")
        assert log.only["error_type"] == "LookupError"
        assert "canary" not in log.getvalue()


def total(log: Log) -> int:
    """What the lines stand for."""
    return sum(1 + record["suppressed"] for record in log.records)


class TestRate:
    def test_a_flood_of_refusals_is_a_few_lines_and_a_count(self) -> None:
        with logging_to(Log()) as log:
            for _ in range(10_000):
                LogListener().emit(REFUSED)

        assert len(log.records) == MOST_LINES + 1
        assert total(log) == 10_000
        assert {(record["message"], record["error_type"], record["status"]) for record in log.records} == {
            ("request failed", "overloaded", 503)
        }

    def test_a_flood_hides_nothing_of_another_kind(self) -> None:
        others = [
            RequestServed("vote", 503, 0.1, "overloaded"),
            RequestServed("none", 503, 0.1, "store_unavailable"),
            DependencyFailed("store", "vote", "StoreError", "It failed."),
        ]
        with logging_to(Log()) as log:
            for _ in range(100):
                LogListener().emit(REFUSED)
            for event in others:
                LogListener().emit(event)

        assert [record["message"] for record in log.records[MOST_LINES : MOST_LINES + 3]] == [
            "request failed", "request failed", "store failed",
        ]  # fmt: skip

    def test_what_goes_well_is_not_bounded(self) -> None:
        with logging_to(Log()) as log:
            for _ in range(100):
                LogListener().emit(ANSWERED)

        assert len(log.records) == 100

    @pytest.mark.parametrize(
        ("library", "message", "arguments"),
        [
            ("asyncio", "socket.accept() out of system resource\nsocket: %d", False),
            ("aiohttp.server", "Error handling request from %d", True),
        ],
    )
    def test_a_librarys_warnings_are_bounded_by_their_template(
        self, library: str, message: str, arguments: bool
    ) -> None:
        with logging_to(Log()) as log:
            for number in range(1000):
                logging.getLogger(library).error(message, *[number] * arguments)

        assert len(log.records) == MOST_LINES + 1
        assert total(log) == 1000

    def test_exceptions_of_one_type_are_a_kind(self) -> None:
        with logging_to(Log()) as log:
            for error in [ValueError(), KeyError()] * 100:
                logging.getLogger("asyncio").error("Exception in callback", exc_info=error)

        assert {record["error_type"]: record["suppressed"] for record in log.records[-2:]} == {
            "ValueError": 100 - MOST_LINES - 1,
            "KeyError": 100 - MOST_LINES - 1,
        }

    def test_messages_that_are_all_different_are_bounded_too(self) -> None:
        with logging_to(Log()) as log:
            for number in range(10 * MOST_KINDS):
                logging.getLogger("a.library").warning(f"Odd: {number}")

        assert len(log.records) == MOST_KINDS + MOST_LINES + 1
        assert log.records[-1]["message"] == "further messages"
        assert total(log) == 10 * MOST_KINDS

    def test_the_count_comes_at_the_end_of_the_window_by_itself(self) -> None:
        counted = threading.Event()

        class Watched(Log):
            def write(self, text: str) -> int:
                length = super().write(text)
                if total(self) == 6:
                    counted.set()
                return length

        with logging_to(Watched(), LineRate(most=1, seconds=0.05)):
            for _ in range(6):
                LogListener().emit(REFUSED)

            assert counted.wait(60)

    def test_a_new_window_begins_with_lines_again(self) -> None:
        rate, kind = LineRate(most=2), Kind("sayings", logging.WARNING, "request failed")

        first = [rate.admits(kind) for _ in range(3)]
        left_out = rate.end_window()
        second = rate.admits(kind)

        assert (first, second) == ([True, True, False], True)
        assert left_out == {kind: 1}

    def test_a_count_belongs_to_no_request(self) -> None:
        kind = Kind("sayings", logging.WARNING, "request failed", (("error_type", "overloaded"),))

        record: Any = kind.summary(7)

        assert record.fields == {
            "error_type": "overloaded", "request_id": "", "trace_id": "", "xray_trace_id": "", "suppressed": 6,
        }  # fmt: skip
