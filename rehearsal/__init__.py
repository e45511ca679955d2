"""The rehearsal: runs the README's own commands on an emulated AWS Organization, and checks the result.

The rooms, in the order in which data flows through them:

command_line, rehearse   what the user asks for, and the whole rehearsal from start to end
machine                  this computer: prerequisites, environments, processes, the temporary folder
emulator                 AWS on 127.0.0.1: ministack and the extensions that make it stricter
organization             the organization that is created on it, and what is read from it
readme                   the README as a runbook, and the operator who runs its commands
pipeline                 CodePipeline and CodeBuild: runs the deployed pipeline and its builds
checks                   what each account must have, and what no log may hold
stories                  restores and the lifecycle of the backup policies, after the first rollout
scenarios                commits, targets and faults, after the first rollout
report                   the journal of steps, and how it is displayed

errors.py and place.py are shared by all of them.
"""
