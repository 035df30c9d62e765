"""All settings of a run, their checks, and reading them from YAML and the command line."""
