"""The processes; they meet only on the log and in the database, never in code."""
