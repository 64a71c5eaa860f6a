"""What an attacker may try, and what must not come out: the tests that SECURITY.md names beside those of each part."""
