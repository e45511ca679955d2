"""CodeCommit, CodePipeline and CodeBuild: what CloudFormation creates and what the rehearsal runs."""
