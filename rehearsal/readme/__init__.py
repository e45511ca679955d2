"""The README as a runbook: its commands in order, run by an operator in a copy of the repository."""
