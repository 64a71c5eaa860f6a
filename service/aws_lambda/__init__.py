"""The service behind API Gateway: the Lambda handler, its events and the lifetime of an environment."""
