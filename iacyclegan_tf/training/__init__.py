"""The loop of mutual optimization, its phases, and the folder of a run."""
