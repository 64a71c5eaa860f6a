"""Cloud Sayings: the service that serves sayings, takes votes and compares the models that wrote them."""
