"""What the accounts must hold after a rollout, and what no log may hold."""
