"""The page as it is served: its files, one saying's address with its picture, and what is shown where nothing is."""
