"""AWS Organizations: one organization that all accounts see, its policies and its closed accounts."""
