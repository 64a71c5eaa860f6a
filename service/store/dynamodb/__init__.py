"""The store for many machines: DynamoDB, by a ready aiobotocore client."""

from service.store.dynamodb.store import DynamoStore
from service.store.dynamodb.tables import TABLES, create_tables

__all__ = ["TABLES", "DynamoStore", "create_tables"]
