"""The organization that a rehearsal creates, and its stacks, roles, rules and logs through AWS APIs."""
