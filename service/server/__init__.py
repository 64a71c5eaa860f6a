"""The aiohttp server: connections, response writing, load shedding and the page's files."""
