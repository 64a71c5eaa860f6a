"""The aiohttp server: connections, the writing of responses, load shedding and the page's files."""
