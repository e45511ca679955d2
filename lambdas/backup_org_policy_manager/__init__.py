"""BackupOrgPolicyManager: the custom resource that manages an organization's backup policies.

handler                responds to CloudFormation and CodePipeline
request                resource properties → frozen dataclasses, every problem collected (pure)
policy                 the backup policy's text: variables, Regions, compact JSON (pure)
elements               the elements of a backup policy, and what AWS requires of them (pure)
changes                Create, Update and Delete, each all or nothing
verification           checks the resulting effective policies
management_role_check  checks for the pipeline that the management account's role can be assumed
response               what CloudFormation receives, sent by crhelper
organizations          the Organizations calls, each safe to repeat (AWS edge)
aws                    role, S3 objects, Region names (AWS edge)
retrier                the only place that retries and waits
errors                 what can go wrong
"""
