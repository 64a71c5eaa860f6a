"""The service behind API Gateway: Lambda's handler, its events and the life of an environment."""
