"""The server of the HTTP tests."""

from tests.http.conftest import server, settings

__all__ = ["server", "settings"]
