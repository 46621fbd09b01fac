"""The archiver: log to database, each reading exactly once, in its own process."""
