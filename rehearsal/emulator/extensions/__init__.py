"""What the rehearsal adds to ministack inside the server process, one module for each thing emulated.

identity         IAM and STS: requests authorized on the resources that AWS uses, roles that services assume
organizations    AWS Organizations: one organization for all accounts, its policies, closed accounts
cloudformation   CloudFormation: what it refuses when resources are created, roles of stacks, conditions
stacksets        CloudFormation StackSets: operations in the target accounts, automatic deployment
pipeline         CodeCommit, CodePipeline and CodeBuild
functions        Lambda and EventBridge: functions, the rules that start them, failed events
backup           AWS Backup: vaults, recovery points, restore jobs, and the services of what is restored
base, objects, errors   what they share
installation     the table of what is installed, in order
"""
