"""What a person sees of a worker on a terminal."""

import io

import pytest
from rich.console import Console

from telemetry.events import (
    DependencyFailed,
    Event,
    ModelCalled,
    ModelReport,
    RoundStarted,
    SayingsRejected,
    Unexpected,
)
from tests.workers.instance import MODELS
from workers.progress import ProgressTable

HAIKU, SONNET, GPT, MINI = MODELS


def called(model: str, *, cost_nanos: int = 1_610_000) -> ModelCalled:
    return ModelCalled(model, "openai", "round", 1, 1727.0, input_tokens=201, output_tokens=151, cost_nanos=cost_nanos)


class Screen:
    """A table on a terminal that remembers what was drawn."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        console = Console(file=self._file, width=160, force_terminal=True, color_system=None, legacy_windows=False)
        self._table = ProgressTable(console)

    def after(self, *events: Event) -> str:
        """What the last of the events made the terminal show."""
        with self._table as table:
            for event in events[:-1]:
                table.emit(event)
            before = len(self._file.getvalue())
            table.emit(events[-1])
            return self._file.getvalue()[before:]

    @property
    def everything(self) -> str:
        return self._file.getvalue()


def line(drawn: str, model: str) -> str:
    (found,) = [line for line in drawn.splitlines() if model in line.replace("│", " ").split()]
    return " ".join(found.replace("│", " ").split())


class TestLines:
    def test_every_model_is_writing_when_a_round_starts(self) -> None:
        drawn = Screen().after(RoundStarted(MODELS))

        assert "Round 1" in drawn
        assert all("writing …" in line(drawn, model) for model in MODELS)

    def test_a_call_adds_its_time_tokens_and_cost(self) -> None:
        drawn = Screen().after(RoundStarted(MODELS), called(GPT), called(GPT))

        assert line(drawn, GPT) == "gpt-4.1 writing … 1.73 s 0 302 $0.003220"
        assert line(drawn, MINI) == "gpt-4.1-mini writing … 0.00 s 0 0 $0.000000"

    def test_a_model_that_is_through_shows_what_it_stored_and_its_total(self) -> None:
        drawn = Screen().after(
            RoundStarted(MODELS), ModelReport(GPT, 3, 1800.0), RoundStarted(MODELS), ModelReport(GPT, 2, 1800.0)
        )

        assert "Round 2" in drawn
        assert line(drawn, GPT).startswith("gpt-4.1 2 stored 0.00 s 5 ")

    def test_a_model_that_failed_shows_why(self) -> None:
        drawn = Screen().after(
            RoundStarted(MODELS), ModelReport(SONNET, 0, 1.0, "ModelTimeout", "The model did not answer in time.")
        )

        assert "ModelTimeout: The model did not answer in time." in line(drawn, SONNET)

    @pytest.mark.parametrize("text", ["[bold red]boo[/bold red]", "[/nothing-was-opened]", ":warning:", "[link=x]y"])
    def test_hostile_text_is_shown_as_it_is(self, text: str) -> None:
        drawn = Screen().after(
            RoundStarted((text,)),
            DependencyFailed("store", "acquire lease", "StoreError", text),
            ModelReport(text, 0, 1.0, "ModelBadResponse", text),
        )

        assert drawn.count(text) == 3


class TestAround:
    def test_before_the_first_round_it_shows_what_prevents_it(self) -> None:
        screen = Screen()

        screen.after(DependencyFailed("store", "acquire lease", "StoreError", "The database did not do it."))

        said = " ".join(screen.everything.split())
        assert "No round yet" in said
        assert "store failed to acquire lease: The database did not do it." in said

    def test_what_was_kept_out_is_counted_by_reason(self) -> None:
        drawn = Screen().after(
            RoundStarted(MODELS), SayingsRejected(GPT, ("markup", "too_long")), SayingsRejected(MINI, ("markup",))
        )

        assert "kept out: markup 2, too_long 1" in drawn

    def test_a_defect_is_named_without_its_text(self) -> None:
        drawn = Screen().after(RoundStarted(MODELS), Unexpected("round", ZeroDivisionError("sk-secret")))

        assert "ZeroDivisionError" in drawn
        assert "sk-secret" not in drawn

    def test_it_gives_the_cursor_back_also_when_the_worker_dies(self) -> None:
        file = io.StringIO()

        with pytest.raises(ZeroDivisionError), ProgressTable(Console(file=file, force_terminal=True)):
            raise ZeroDivisionError

        assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1
