"""The alarms and the dashboard over metrics that the running service has recorded."""
