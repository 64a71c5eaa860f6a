"""What is measured now and then rather than counted: how full the pool is."""

import asyncio
from collections.abc import Sequence

from service.catalogue import Model
from service.domain import model_contributor
from service.pool import Pool
from telemetry.events import Listener, PoolMeasured

MEASURE_SECONDS = 30.0


class Gauges:
    """Measures, and emits what it finds."""

    def __init__(self, pool: Pool, models: Sequence[Model], listener: Listener, *, simulated: bool) -> None:
        self._pool = pool
        self._models = models
        self._listener = listener
        self._simulated = simulated

    def measure(self) -> None:
        for model in self._models:
            size = self._pool.size_of(model_contributor(model.id, simulated=self._simulated))
            self._listener.emit(PoolMeasured(model.id, size))

    async def run(self) -> None:
        """Measure at intervals until cancelled."""
        while True:
            self.measure()
            await asyncio.sleep(MEASURE_SECONDS)
