"""The stack of deploy/edge.yaml: the alarm and the access log of the distribution, which AWS has in us-east-1 only."""

from collections.abc import Mapping

from deploy.environments import ROOT
from deploy.recovery import make_way
from deploy.stack import Stack, new_session
from service.process import say

TEMPLATE = ROOT / "deploy/edge.yaml"
REGION = "us-east-1"
# The parameters that both stacks have.
SHARED = ("AlarmEmail", "LogRetentionDays")


def deploy_edge(stack: Stack, parameters: Mapping[str, str]) -> None:
    """Deploy what belongs to the distribution of `stack`, with these parameters or else those that the stack has.

    Raises DeploymentFailed.
    """
    say(f"Deploying {TEMPLATE.relative_to(ROOT)} to {REGION} …")
    own = {"Name": stack.name, "DistributionId": stack.outputs["DistributionId"]}
    chosen = {**stack.parameters(), **parameters}
    shared = {name: chosen[name] for name in SHARED if name in chosen}
    edge = Stack(f"{stack.name}-edge", new_session(REGION))
    make_way(edge)
    edge.deploy(own | shared, "--no-confirm-changeset", template=TEMPLATE)
