"""What the accounts should contain after a deployment, and what no log may contain.

outcomes lists the checks by account; packages and backup_policies hold two of them. Each check returns what
it found, or raises OutcomeError with everything that is wrong (findings). secrets_in_logs searches the logs.
"""
