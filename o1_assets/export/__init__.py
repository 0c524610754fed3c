"""A checkpoint as a folder that others can load: what the Hugging Face Hub, transformers and vLLM expect."""
