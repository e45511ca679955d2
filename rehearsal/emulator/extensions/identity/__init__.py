"""IAM and STS: requests evaluated on the resources that AWS uses, and roles that services assume."""
