"""The Lambda functions: as plain calls, and as Lambda's own runtime client runs them."""
