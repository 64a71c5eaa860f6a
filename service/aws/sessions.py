"""A session of the AWS SDK that goes the way that the settings say, and knows whom it talks to.

The SDK's own HTTP session does not compare the name in a certificate with that of the server, and with a proxy it
accepts any certificate.

This module imports the SDK at the top, so that it must only be imported where the SDK is loaded.
"""

from functools import partial
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession, get_session
from botocore.httpsession import ProxyConfiguration

from telemetry.outbound import Outbound


def open_session(outbound: Outbound) -> AioSession:
    """A session for clients, those that fetch credentials included. It takes nothing of this from the environment."""
    session = get_session()
    session.set_config_variable("ca_bundle", outbound.authorities or True)  # True stands for the SDK's own list
    http_session: Any = partial(_HttpSession, outbound)
    session.set_default_client_config(_Config(http_session_cls=http_session))
    return session


class _Config(AioConfig):
    http_session_cls: Any

    def merge(self, other_config: Any) -> Any:
        """Keep the HTTP session when a client has a config of its own. The SDK would forget it."""
        merged: Any = super().merge(other_config)
        merged.http_session_cls = self.http_session_cls
        return merged


class _HttpSession(AIOHTTPSession):
    def __init__(self, outbound: Outbound, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._proxy_config = _Proxies(outbound)

    def _get_ssl_context(self) -> Any:
        context = super()._get_ssl_context()  # type: ignore[misc]
        context.check_hostname = True
        return context

    def _create_connector(self, proxy_url: str | None) -> Any:
        return super()._create_connector(None)  # type: ignore[misc] # with a proxy it would verify nothing


class _Proxies(ProxyConfiguration):
    def __init__(self, outbound: Outbound) -> None:
        super().__init__()
        self._outbound = outbound

    def proxy_url_for(self, url: str) -> Any:
        return self._outbound.proxy_for(url) or None
