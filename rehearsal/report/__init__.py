"""What happened, as data and as people read it."""
