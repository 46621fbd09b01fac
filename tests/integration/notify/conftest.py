"""Both databases for every test here."""

from __future__ import annotations

from tests.neighbours.databases import database, plain_dsn

__all__ = ["database", "plain_dsn"]
