"""Keys planted where they are kept come out nowhere: no span, metric, log line, answer or export of a run with faults.

Nor does a voter's id, which is as good as a key.
"""

import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from service.aws.clients import AwsClients
from service.cli.rows import Export, rows
from service.llm.vendors import VENDORS
from service.participants import SIMULATED_KEY
from service.simulator import Fault, FaultKind, Simulator
from tests.aws import REGION, put_key
from tests.logging_capture import Log, captured_log, everything_logged
from tests.support import PATIENT
from tests.telemetry.composition import SAMPLED, Composition, Service
from tests.telemetry.receiver import Receiver

pytestmark = pytest.mark.slow

CANARY = "canary-5f1c77e0"
AWS_CANARY = "aws-canary-9be2"
# The id is a secret: a caller with a voter's id can vote in their name.
VOTER = "voter-canary-0123456789ab"
# Each model in turn; what a vendor says to a bad key, and answers that hold what was sent, above all.
FAULTS = [
    FaultKind.UNAUTHORIZED, FaultKind.FORBIDDEN, FaultKind.BAD_REQUEST, FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED,
    FaultKind.SPEND_LIMIT, FaultKind.RESET, FaultKind.TRUNCATED_BODY, FaultKind.BAD_JSON, FaultKind.HTML,
    FaultKind.REFUSAL, FaultKind.TEXT_PROMPT_ECHO, FaultKind.REDIRECT,
]  # fmt: skip


async def answers_of_a_run_with_faults(service: Service, simulator: Simulator) -> list[str]:
    answers = []
    for kind in FAULTS:
        simulator.inject("*", Fault(kind, count=8))
        await service.round()
        answers += [(await service.ask("GET", "/sayings", headers=SAMPLED)).body.decode() for _ in range(6)]
        simulator.clear_faults()
        service.resources.gateway._breakers.clear()
        simulator.inject("*", Fault(kind, count=2))
        answers += await compared_and_voted_on(service)
        simulator.clear_faults()
        service.resources.gateway._breakers.clear()
    for path in ("/stats", "/models", "/health/ready", "/openapi.json", "/nowhere"):
        answers.append((await service.ask("GET", path, headers=SAMPLED)).body.decode())
    return answers + [str(row) for what in Export async for row in rows(service.resources.store, what)]


async def compared_and_voted_on(service: Service) -> list[str]:
    """A comparison, streamed, the vote on it, and one on a saying."""
    headers = SAMPLED | {"Cookie": f"sayings_voter={VOTER}"}
    stream = (await service.ask("POST", "/compare", json={}, headers=headers)).body.decode()
    _, _, told = stream.partition('"comparisonId":"')
    voted = await service.ask("POST", f"/compare/{told[:32]}/vote", json={"winner": "tie"}, headers=headers)
    liked = await service.vote(await service.saying(), headers=headers)
    return [stream, voted.body.decode(), liked.body.decode()]


def everything_told(receiver: Receiver, log: Log, answers: Sequence[str]) -> str:
    assert len(receiver.spans) > 50
    assert receiver.points("Errors")
    assert len(log.records) > len(FAULTS)
    assert any('"winner":"tie","status":"recorded"' in answer for answer in answers)
    told = "\n".join([*receiver.texts, log.getvalue(), *answers])
    assert VOTER not in told
    return told


async def test_keys_in_ssm(
    composition: Composition,
    receiver: Receiver,
    simulator: Simulator,
    moto_url: str,
) -> None:
    composition.set(AWS_ENDPOINT_URL=moto_url, AWS_SECRET_ACCESS_KEY=AWS_CANARY)
    names = {vendor: f"/{uuid.uuid4().hex}/{vendor}" for vendor in VENDORS}
    async with AsyncExitStack() as stack:
        for name in names.values():
            await put_key(await AwsClients(REGION, stack, timeouts=PATIENT).ssm(), name, f"{SIMULATED_KEY}-{CANARY}")

    with captured_log("DEBUG") as log, everything_logged("botocore", "httpx2", "anthropic", "openai") as told:
        async with composition.running(
            keys="ssm",
            aws_region=REGION,
            key_parameters=names,
            live_every=2,
            compare_rate="off",
            timeouts=PATIENT,
        ) as service:
            answers = await answers_of_a_run_with_faults(service, simulator)

    told_by_us = everything_told(receiver, log, answers)
    assert CANARY in "".join(told)  # it was there to be told
    assert "GetParameter" in told_by_us
    assert CANARY not in told_by_us
    assert AWS_CANARY not in told_by_us
