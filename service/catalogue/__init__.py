"""What ships as data: models, AWS services and the hand-written collection."""
