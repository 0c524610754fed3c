"""Label Studio as a labelling interface: a project a round out, annotations back through the inbox."""
