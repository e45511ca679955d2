"""What the CodeBuild builds do. The .yml files beside it only call it: all of it is tested."""
