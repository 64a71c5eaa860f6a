"""What every kind of request asks of AWS, and how many rounds fifty cold instances make: counts, not times."""

import asyncio

from deploy.counting import COLD_INSTANCES, count_everything
from tests.bench.measurement import Bar, Measurement, Size, Tell

# Of one who looks at the pool only.
NOTHING_FOR = "warm saying"


def measure(_: Size, tell: Tell) -> list[Measurement]:
    tell("AWS operations by kind of request")
    counted = asyncio.run(count_everything())
    operations = [
        Measurement(
            f"AWS, {kind}",
            count.operations.total(),
            "operations",
            bar=Bar(0) if kind == NOTHING_FOR else None,
            details={"read units": count.read_units, "write units": count.write_units},
        )
        for kind, count in counted.counts.items()
    ]
    return [*operations, Measurement(f"{COLD_INSTANCES} cold instances", counted.cold_rounds, "rounds", bar=Bar(1))]
