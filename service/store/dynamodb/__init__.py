"""The store for many machines: DynamoDB, through an open aiobotocore client that the caller passes in."""

from service.store.dynamodb.store import DynamoStore
from service.store.dynamodb.tables import TABLES, create_tables

__all__ = ["TABLES", "DynamoStore", "create_tables"]
