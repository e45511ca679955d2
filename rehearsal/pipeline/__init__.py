"""CodePipeline and CodeBuild on this machine: runs a deployed pipeline as its definition says.

execution runs the stages that definition reads from get-pipeline; actions holds a function for each action
type, variables and artifacts what actions pass to each other. codebuild runs a build: buildspec reads the
file, build_shell runs its commands.
"""
