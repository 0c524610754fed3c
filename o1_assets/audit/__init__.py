"""The audit: where an artifact came from, and whether all of that is still as it was recorded."""
