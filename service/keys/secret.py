"""A value that must never appear in a log, a span, an exception, a `repr` or a response."""


class Secret:
    """Holds an API key. Only `reveal()` returns it, and only the code that passes it to an SDK should call that."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialised")
