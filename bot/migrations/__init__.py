"""The schema's history, for every wing's tables. ``layover migrate`` brings a database up to date."""
