"""Tests of what calls the models."""
