"""How many retries there may be: a share of the calls, so that they cannot multiply an outage, and a few in stock."""

RETRY_SHARE = 0.1


class RetryBudget:
    """The retries of calls to one dependency: `stock` at first, which is also the most that is saved up."""

    def __init__(self, stock: float) -> None:
        self._stock = stock
        self._left = stock

    def earn(self) -> None:
        """A call is made."""
        self._left = min(self._left + RETRY_SHARE, self._stock)

    def take(self) -> bool:
        """Whether there may be one more retry, which is counted."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
