"""The stack of deploy/edge.yaml: the alarm and the access log of the distribution, which AWS has in us-east-1 only."""

from collections.abc import Mapping

from deploy.environments import ROOT
from deploy.stack import Stack, new_session
from service.process import say

TEMPLATE = ROOT / "deploy/edge.yaml"
REGION = "us-east-1"
# The parameters that both stacks have.
SHARED = ("AlarmEmail", "LogRetentionDays")


def deploy_edge(stack: Stack, parameters: Mapping[str, str]) -> None:
    """Deploy what belongs to the distribution of `stack`, which was deployed with these parameters.

    Raises DeploymentFailed.
    """
    say(f"Deploying {TEMPLATE.relative_to(ROOT)} to {REGION} …")
    own = {"Name": stack.name, "DistributionId": stack.outputs["DistributionId"]}
    shared = {name: parameters[name] for name in SHARED if name in parameters}
    edge = Stack(f"{stack.name}-edge", new_session(REGION))
    edge.deploy(own | shared, "--no-confirm-changeset", template=TEMPLATE)
