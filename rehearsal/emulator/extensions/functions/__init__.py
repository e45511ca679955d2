"""Lambda and EventBridge: functions, the rules that start them, and what happens to failed events."""
