"""TagOnRestore: gives every resource that AWS Backup restores the tags of its source."""
