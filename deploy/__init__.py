"""The deployments: templates, the container image, and the tools around them."""
