"""The deployments: the templates, the container image and the tools around them."""
