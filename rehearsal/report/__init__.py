"""What happened: the journal of steps, and its display for people."""
