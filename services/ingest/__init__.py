"""From instruments to the log, and from the log to the database."""
