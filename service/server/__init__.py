"""The aiohttp server: connections, response writing and the page's files."""
