"""CodePipeline and CodeBuild on this machine: runs a deployed pipeline as its own definition says."""
