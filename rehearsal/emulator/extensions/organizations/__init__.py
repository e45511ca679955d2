"""AWS Organizations: one organization for all accounts, its backup policies and its closed accounts."""
