"""What deploy/ holds: read its templates and charts, and evaluate its alarms and alerts."""
