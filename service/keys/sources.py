"""The sources of API keys: SSM Parameter Store, the environment, or a fixed key for the simulator."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from service.errors import (
    AwsCredentialsMissing,
    ConfigError,
    KeyAccessDenied,
    KeyNotFound,
    KeyStoreThrottled,
    KeyStoreUnavailable,
)
from service.keys.secret import Secret

if TYPE_CHECKING:
    from types_aiobotocore_ssm.client import SSMClient

# A key consists of the characters that an HTTP header can carry.
_A_KEY = re.compile(r"[!-~]+")


class KeySource(Protocol):
    """A source of keys by the name of their parameter. `fetch` raises KeyStoreError and nothing else."""

    async def fetch(self, name: str) -> Secret: ...


class SsmKeySource:
    """Reads and decrypts SecureString parameters of SSM Parameter Store."""

    def __init__(self, client: "SSMClient") -> None:
        self._client = client

    async def fetch(self, name: str) -> Secret:
        async with _translated_errors():
            response = await self._client.get_parameter(Name=name, WithDecryption=True)
            # Pasted keys often end in a line break.
            value = response["Parameter"]["Value"].strip()
        if not _A_KEY.fullmatch(value):
            raise KeyNotFound("The key parameter does not hold a key.")
        return Secret(value)


class EnvironmentKeySource:
    """Reads keys from environment variables; `variables` maps the name of a parameter to the variable that replaces it.

    Raises ConfigError when a variable does not hold a key.
    """

    def __init__(self, environ: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self._secrets = {
            name: Secret(_checked(variable, environ[variable]))
            for name, variable in variables.items()
            if variable in environ
        }

    def __contains__(self, name: object) -> bool:
        return name in self._secrets

    async def fetch(self, name: str) -> Secret:
        if name not in self._secrets:
            raise KeyNotFound("The environment has no such key.")
        return self._secrets[name]


def _checked(variable: str, key: str) -> str:
    if not key:
        raise ConfigError(variable, "is empty; unset it or give it a key")
    if not _A_KEY.fullmatch(key):
        raise ConfigError(variable, "has white space or other characters in it that no key has")
    return key


class FixedKeySource:
    """Returns the same key for every name. It is the key for calling the simulator."""

    def __init__(self, key: str) -> None:
        self._secret = Secret(key)

    async def fetch(self, name: str) -> Secret:
        return self._secret


class PrefixedKeySource:
    """Passes on only those keys of another source that have a prefix, so that a real key never reaches the simulator.

    `fetch` raises KeyAccessDenied for any other key.
    """

    def __init__(self, source: KeySource, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    async def fetch(self, name: str) -> Secret:
        secret = await self._source.fetch(name)
        if not secret.reveal().startswith(self._prefix):
            raise KeyAccessDenied("The key was not made for the simulator.")
        return secret


_DENIED = frozenset(
    {"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId",
     "InvalidSignatureException", "ExpiredTokenException", "KMSAccessDeniedException", "InvalidKeyId"}
)  # fmt: skip
_NOT_FOUND = frozenset({"ParameterNotFound", "ParameterVersionNotFound"})
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyUpdates", "RequestLimitExceeded"})


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    """Translate botocore's errors into the service's.

    The cause is kept for the name of its class. Its message is not copied, because it may hold the parameter's name.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # the client has loaded it by now

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _NOT_FOUND:
            raise KeyNotFound("There is no such key parameter.") from error
        if code in _DENIED:
            raise KeyAccessDenied("The key parameter may not be read.") from error
        if code in _THROTTLED:
            raise KeyStoreThrottled("The key store asks for fewer calls.") from error
        raise KeyStoreUnavailable("The key store failed.") from error
    except AwsCredentialsMissing as error:
        raise KeyStoreUnavailable(str(error)) from error
    except (BotoCoreError, OSError) as error:
        raise KeyStoreUnavailable("The key store cannot be reached.") from error
    except Exception as error:  # botocore has no error for an invalid response: parsing it fails in one way or another
        raise KeyStoreUnavailable("The key store's answer makes no sense.") from error
