"""The paper: its losses, the step of both generators and discriminators, the steps of the recognizers."""
