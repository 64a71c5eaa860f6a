"""The check of the addresses of HTTP endpoints."""

from urllib.parse import urlsplit


def is_http_url(text: str) -> bool:
    """Whether the text is an absolute URL with the scheme http or https, a host and, if it has a port, a valid one."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in text
    except ValueError:
        return False
