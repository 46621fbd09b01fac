"""What stands between the collector and a log that may be away.

`spool` keeps records on the local disk within a quota, `relay` moves them on, and
`losses` declares what either had to give up. Nothing is acknowledged to an instrument
before its spool write is durable; nothing leaves the spool before the log has it.
"""

from services.ingest.spool.relay import Progress, relay
from services.ingest.spool.spool import Spool, segment_bytes

__all__ = ["Progress", "Spool", "relay", "segment_bytes"]
