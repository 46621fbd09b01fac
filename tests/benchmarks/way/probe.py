"""Polls some tags as a user's query would and prints how old each reading was then.

    python -m tests.benchmarks.way.probe DSN NAMESPACE TAG,TAG,... EVERY_S

Prints its database session's process id, then, when its input ends, the ages in ms as
one JSON list, each with the moment (us UTC) that it was seen first.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import asyncpg

_QUERY = """
select tag, (extract(epoch from time) * 1000000)::bigint as time from reading
where tag = any($1) and time > to_timestamp($2::float8 / 1000000)"""


async def poll(dsn: str, namespace: str, tags: list[int], every_s: float) -> None:
    """Poll until the input ends."""
    connection = await asyncpg.connect(
        dsn, server_settings={"search_path": namespace, "jit": "off"}
    )
    print(json.dumps(connection.get_server_pid()), flush=True)
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    seen = dict.fromkeys(tags, time.time_ns() // 1000)
    ages: list[tuple[int, float]] = []
    due = time.monotonic()
    while not ended.done():
        rows = await connection.fetch(_QUERY, tags, min(seen.values()))
        now = time.time_ns() // 1000
        for row in sorted(rows, key=lambda row: int(row["time"])):
            if row["time"] > seen[row["tag"]]:
                seen[row["tag"]] = row["time"]
                ages.append((now, (now - row["time"]) / 1000))
        due = max(due + every_s, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
    await connection.close()
    print(json.dumps(ages), flush=True)


if __name__ == "__main__":
    _, where, schema, wanted, pause = sys.argv
    asyncio.run(poll(where, schema, [int(t) for t in wanted.split(",")], float(pause)))
