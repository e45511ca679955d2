"""CloudFormation: what it refuses when a resource is created, and StackSets, which ministack lacks."""
