"""This machine: what it must have, and the processes, folders and environments of a rehearsal."""
