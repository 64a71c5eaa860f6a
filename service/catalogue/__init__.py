"""The data that ships with the package: the models, the AWS services and the hand-written collection."""
