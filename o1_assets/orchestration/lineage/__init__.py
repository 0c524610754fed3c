"""OpenLineage events of what is made, for whoever collects lineage of many systems. Off unless configured."""
