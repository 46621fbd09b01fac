"""The database: migrations, COPY, offsets in the transaction, queries.

The only room that imports asyncpg, and the only one that names the readings table.
Runs on plain PostgreSQL (>= 15) and on TimescaleDB; what the server can do is found
out at start and used.
"""
