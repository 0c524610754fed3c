"""Dagster's web interface: its processes, how they end, and which requests they answer."""
