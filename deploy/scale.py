"""What a million and a billion requests a day cost and which quota breaks first: `python -m deploy.scale` (make scale).

Operations are counted by running the code (counting.py), prices and assumptions are in costs.py. SCALE.md holds the
results between its markers; `--update` writes them there.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.costs import (
    DAYS_A_MONTH,
    HTTP_API_STEPS,
    LOGS_GB,
    PLATFORM_LOG_BYTES,
    SIZES,
    Load,
    container_costs,
    cost_after,
    daily_costs,
    quotas,
    stepped,
)
from deploy.counting import Counted, count_everything

PAGE = Path(__file__).with_name("SCALE.md")


def operations_table(counted: Counted) -> str:
    rows = []
    for kind, count in counted.counts.items():
        operations = ", ".join(f"{times} × {name}" for name, times in sorted(count.operations.items()))
        rows.append([kind, operations or "none", _number(count.read_units), _number(count.write_units)])
    return _table(["what", "AWS operations", "read units", "write units"], rows)


def models_table(counted: Counted) -> str:
    rows = [
        [f"{kind} call", f"{use.input_tokens:.0f}", f"{use.output_tokens:.0f}", f"{use.dollars * 1000:.2f}"]
        for kind, use in counted.models.items()
    ]
    return _table(["mean over the four models", "tokens in", "tokens out", "$ per 1,000 calls"], rows)


def cold_start_table(counted: Counted) -> str:
    leases = counted.counts["fifty cold instances"].operations["UpdateItem service_state"]
    rows = [["50", str(counted.cold_rounds), str(counted.cold_model_calls), str(leases)]]
    return _table(["cold instances at once", "rounds", "model calls", "lease and spend writes"], rows)


def costs_table(counted: Counted) -> str:
    by_size = [daily_costs(counted, Load(size)) for size in SIZES]
    rows = [[line, *(_dollars(costs[line]) for costs in by_size)] for line in by_size[0]]
    rows.append(["**a day**", *(f"**{_dollars(sum(costs.values()))}**" for costs in by_size)])
    rows.append(["a month", *(_dollars(sum(costs.values()) * DAYS_A_MONTH) for costs in by_size)])
    return _table(["$ a day on Lambda", *(f"{size:,} requests" for size in SIZES)], rows)


def alternatives_table(counted: Counted) -> str:
    billion = Load(SIZES[-1])
    costs, containers = daily_costs(counted, billion), container_costs(counted, billion)
    gateway = [line for line in costs if line.startswith(("API Gateway", "Lambda"))]
    http = stepped(billion.requests, HTTP_API_STEPS) / 1e6
    platform_logs = billion.requests * PLATFORM_LOG_BYTES / 1e9 * LOGS_GB
    rows = [
        ["API Gateway and Lambda → load balancer and Fargate", _dollars(sum(costs[line] for line in gateway)),
         _dollars(containers["Fargate"] + containers["Load balancer"])],
        ["or only REST API → HTTP API", _dollars(costs["API Gateway (REST)"]), _dollars(http)],
        ["CloudFront for the page alone, the API straight", _dollars(costs["CloudFront, requests"]), "0"],
        ["X-Ray: 5 % → 0.1 %", _dollars(costs["X-Ray"]), _dollars(costs["X-Ray"] / 50)],
        ["Lambda's own log lines → none", _dollars(platform_logs), "0"],
        ["DynamoDB: fewer processes", _dollars(costs["DynamoDB"]), _dollars(containers["DynamoDB"])],
        ["**all of these together, and what stays**", f"**{_dollars(sum(costs.values()))}**",
         f"**{_dollars(cost_after(costs, containers))}**"],
    ]  # fmt: skip
    return _table(["$ a day at 1,000,000,000", "before", "after"], rows)


def quotas_table(counted: Counted) -> str:
    rows = [
        [quota.name, _number(quota.limit), *(_need(need, quota.limit) for need in quota.needs), quota.remedy]
        for quota in quotas(counted)
    ]
    return _table(["limit", "default", *(f"peak at {size:,}" for size in SIZES), "what to raise"], rows)


def _need(need: float, limit: float) -> str:
    return f"**{_number(need)}**" if need > limit else _number(need)


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if 0 < value < 1 else f"{value:.1f}".removesuffix(".0")


def _dollars(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    columns = zip(*rows, strict=True)
    rules = ["--:" if all(cell.strip("*")[:1].isdigit() for cell in column) else "---" for column in columns]
    lines = [heads, rules, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


TABLES = {
    "operations": operations_table,
    "models": models_table,
    "cold start": cold_start_table,
    "costs": costs_table,
    "quotas": quotas_table,
    "alternatives": alternatives_table,
}


def tables(counted: Counted) -> dict[str, str]:
    return {name: table(counted) for name, table in TABLES.items()}


def tables_in(page: str) -> dict[str, str]:
    """The tables that a page holds between its markers."""
    return dict(re.findall(r"<!-- (.+?) -->\n(.*?)\n<!-- end -->", page, re.DOTALL))


def updated(page: str, found: dict[str, str]) -> str:
    for name, table in found.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        page, times = re.subn(pattern, rf"\g<1>{table}\n\g<2>", page, flags=re.DOTALL)
        if times != 1:
            raise ValueError(f"SCALE.md has {times} places for the table {name!r}")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.scale", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the tables into SCALE.md")
    update: bool = parser.parse_args().update
    found = tables(asyncio.run(count_everything()))
    if update:
        PAGE.write_text(updated(PAGE.read_text(), found))
    else:
        sys.stdout.write("\n\n".join(found.values()) + "\n")


if __name__ == "__main__":
    main()
