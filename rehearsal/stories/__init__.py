"""What happens to the deployed organization in every rehearsal: resources are restored, policies change.

restores is the first story: restore_cases lists what is restored (resources has the calls of each service),
restore_jobs backs up and restores, failures and sweeps are about a function that may not tag.
policy_lifecycle is the second: policies_in_effect reads and watches the backup policies, and sandbox is an OU
that must not change.
"""
