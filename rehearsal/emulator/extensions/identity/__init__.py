"""IAM and STS: requests authorized on the resources that AWS uses, and roles that services assume."""
