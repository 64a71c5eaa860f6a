"""What the simulated models write: hand-written sayings from sayings.json, dealt like cards."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from random import Random

import msgspec

from service.domain import MAX_SAYING_LENGTH


class DealtSaying(msgspec.Struct, frozen=True):
    """What a model says about a service."""

    service: str
    saying: str


class ScriptLine(msgspec.Struct, frozen=True):
    """A hand-written saying about a service, in one of the voices."""

    service: str
    voice: str
    saying: str


class Script(msgspec.Struct, frozen=True):
    """All that the simulated models can say.

    `encores` are, for each voice, openings behind which a saying may be told again. `general` is what each voice says
    about a service that has no sayings of its own.
    """

    sayings: list[ScriptLine]
    encores: dict[str, list[str]]
    general: dict[str, str]

    @property
    def voices(self) -> list[str]:
        return list(self.encores)

    def about(self, service: str, voice: str) -> list[str]:
        """The voice's sayings about the service, at least one."""
        own = [line.saying for line in self.sayings if (line.service, line.voice) == (service, voice)]
        return own or [self.general[voice].replace("{service}", service)]

    def deck(self, service: str, voice: str, rng: Random) -> list[str]:
        """The voice's sayings about the service, shuffled, and after them each of them behind each encore."""
        plain = self.about(service, voice)
        again = [f"{encore} {saying}" for encore in self.encores[voice] for saying in plain]
        short = [saying for saying in again if len(saying) <= MAX_SAYING_LENGTH]
        return _shuffled(plain, rng) + _shuffled(short, rng)


def load_script() -> Script:
    """The packaged sayings."""
    return msgspec.json.decode(Path(__file__).with_name("sayings.json").read_bytes(), type=Script)


class Dealer:
    """Deals sayings to the models, from a deck for each model and service.

    The models take the voices in turn, so that four neighbours in the catalogue never say the same. What one model is
    asked never changes what another one says.
    """

    def __init__(self, model_ids: Iterable[str], seed: int) -> None:
        self._script = load_script()
        self._seats = {model_id: seat for seat, model_id in enumerate(model_ids)}
        self._seed = seed
        self._decks: dict[tuple[str, str], Iterator[str]] = {}

    def deal(self, model_id: str, service: str) -> DealtSaying:
        """The next saying of the deck, which starts again when it is through."""
        deck = self._decks.get((model_id, service))
        if deck is None:
            deck = self._decks[model_id, service] = cycle(self._deck(model_id, service))
        return DealtSaying(service, next(deck))

    def first(self, model_id: str, service: str) -> DealtSaying:
        """One saying that is always the same, without taking a card."""
        return DealtSaying(service, self._script.about(service, self._voice(model_id))[0])

    def _voice(self, model_id: str) -> str:
        voices = self._script.voices
        return voices[self._seats[model_id] % len(voices)]

    def _deck(self, model_id: str, service: str) -> list[str]:
        rng = Random(f"{self._seed}/{model_id}/{service}")
        cards = self._script.deck(service, self._voice(model_id), rng)
        # Models that share a voice start at different cards, so that they do not open with the same words.
        start = self._seats[model_id] // len(self._script.voices) % len(cards)
        return cards[start:] + cards[:start]


def _shuffled(cards: Sequence[str], rng: Random) -> list[str]:
    return rng.sample(cards, len(cards))
