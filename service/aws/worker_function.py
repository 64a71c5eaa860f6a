"""The worker function on Lambda, which runs a round each time it is invoked."""

from service.aws.clients import AwsClients
from service.errors import AwsCredentialsMissing, WorkerNotAsked


class WorkerFunction:
    """Invokes the worker function by its name or ARN."""

    def __init__(self, name: str, aws: AwsClients) -> None:
        self._name = name
        self._aws = aws

    async def invoke(self) -> None:
        """Trigger a round without waiting for it. Raises WorkerNotAsked."""
        client = await self._aws.lambda_()
        from botocore.exceptions import BotoCoreError, ClientError  # the client has loaded it by now

        try:
            await client.invoke(FunctionName=self._name, InvocationType="Event", Payload=b"{}")
        except (AwsCredentialsMissing, BotoCoreError, ClientError, OSError) as error:
            raise WorkerNotAsked("The worker function could not be asked for a round.") from error
