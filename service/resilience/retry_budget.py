"""The budget of retries: a share of the calls and a small stock, so that retries cannot multiply an outage."""

RETRY_SHARE = 0.1


class RetryBudget:
    """The retries that calls to one dependency may make. It begins with `stock` retries and never saves up more."""

    def __init__(self, stock: float) -> None:
        self._stock = stock
        self._left = stock

    def earn(self) -> None:
        """Add the share of one call. To be called for each call, but not for its retries."""
        self._left = min(self._left + RETRY_SHARE, self._stock)

    def take(self) -> bool:
        """Take one retry from the budget; False when none is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
