"""AWS Backup: vaults, recovery points and restore jobs, and the services of what is restored."""
