"""What an SRE gets to see."""
