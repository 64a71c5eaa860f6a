"""The server of the HTTP tests."""

from tests.http.conftest import server, settings, timeouts

__all__ = ["server", "settings", "timeouts"]
