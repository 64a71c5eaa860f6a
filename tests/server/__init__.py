"""Tests of the aiohttp server's own parts."""
