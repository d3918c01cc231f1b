"""What everything stands on: storage, durable work, supervised services, time. Knows nothing of travel or money."""
