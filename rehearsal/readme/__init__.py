"""The README as a runbook: its commands, and the operator who runs them in a copy of the repository."""
