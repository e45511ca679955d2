"""TagOnRestore: gives every resource that AWS Backup restores the tags of its source.

The modules, in the order in which data flows:

handler   Entry point: an event or a sweep request in, a JSON response out.
settings  The settings, from environment variables.
event     Parses the request; says which restore jobs are skipped, and why.
sweep     Handles past restore jobs again.
restore   One restore job: reads the tags of its source or recovery point, writes them to what it created.
taggers   How the tags of each resource type are read and written.
tags      Which tags are copied.
result    What was done, as response, log line and metrics.

All of them use arn (ARNs), aws (calls to AWS) and errors.
"""
