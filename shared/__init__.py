"""What two or more services use: nouns, blocks, the log, the store, settings.

A room lives here only when at least two services need it. Nothing here imports a
service or a simulator; importing any of it does nothing.
"""
