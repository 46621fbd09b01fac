"""The HTTP API: what is known of the plant, and what is missing from it.

Reads the database and the log. Writes nothing but people's commands, onto the log.
"""
