"""BackupOrgPolicyManager: the custom resource that manages an organization's backup policies.

handler        answers CloudFormation
request        resource properties → frozen dataclasses, every fault collected (pure)
policy         the backup policy's text: variables, regions, compact JSON (pure)
elements       what AWS requires and limits in it (pure)
changes        Create, Update and Delete, each all or nothing
verification   asks Organizations whether the resulting effective policies are valid
organizations  the Organizations calls, each safe to repeat (AWS edge)
aws            role, S3 objects, Region names (AWS edge)
patience       the only place that retries and waits
errors         what can go wrong
"""
