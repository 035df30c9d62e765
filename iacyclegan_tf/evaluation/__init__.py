"""The numbers of a round, every measure of a run, and runs compared."""
