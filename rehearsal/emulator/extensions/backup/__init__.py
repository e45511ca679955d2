"""AWS Backup: vaults, recovery points, restore jobs and settings, and the services of what is restored."""
