"""CloudFormation StackSets, which ministack lacks: operations in target accounts, automatic deployment."""
