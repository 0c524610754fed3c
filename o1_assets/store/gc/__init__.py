"""Removing what nothing needs any more: old versions, what killed runs left, Dagster's old runs."""
