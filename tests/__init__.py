"""Tests, one folder or file for each part."""
