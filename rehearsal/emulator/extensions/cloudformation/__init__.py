"""CloudFormation: what AWS refuses when resources are created or deleted, roles of stacks, conditions."""
