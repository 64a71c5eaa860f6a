"""What is measured beside the service, as programs of their own: some run on other packages than the service's."""
