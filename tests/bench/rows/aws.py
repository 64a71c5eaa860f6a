"""What every kind of request asks of DynamoDB, and how many rounds fifty cold instances make: counts, not times."""

import asyncio

from tests.bench.measurement import Bar, Measurement, Size, Tell
from tests.moto_server import serving_moto
from tests.tools.counting import COLD_INSTANCES, count_everything

# A request that is served from the pool alone needs no AWS operation.
NOTHING_FOR = "warm saying"


def measure(_: Size, tell: Tell) -> list[Measurement]:
    tell("AWS operations by kind of request")
    with serving_moto() as moto_url:
        counted = asyncio.run(count_everything(moto_url))
    operations = [
        Measurement(
            f"AWS, {kind}",
            count.operations.total(),
            "operations",
            bar=Bar(0) if kind == NOTHING_FOR else None,
            details={"write units": count.write_units},
        )
        for kind, count in counted.counts.items()
    ]
    return [*operations, Measurement(f"{COLD_INSTANCES} cold instances", counted.cold_rounds, "rounds", bar=Bar(1))]
