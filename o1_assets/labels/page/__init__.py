"""The project's labelling page, without its web server: labellers, drafts, and who rates what."""
