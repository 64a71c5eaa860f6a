"""Tests of what keeps the service going while something it depends on fails."""
