"""Notifications to blocks: the bytes of a PublishResponse straight into columns.

The readings are those of DESIGN ("A reading, exactly"). Bytes are never trusted:
what is malformed is MalformedNotification, what is representable only in part is named
in `refused`, and nothing waits, allocates or recurses by a number that was only
claimed.
"""

from services.ingest.opcua.decode.cursor import MalformedNotification
from services.ingest.opcua.decode.history import NodeHistory, decode_history
from services.ingest.opcua.decode.publish import (
    Publish,
    PublishRefused,
    decode_publish,
    decode_republish,
)
from services.ingest.opcua.decode.readings import Refused
from services.ingest.opcua.decode.together import decode_together
from services.ingest.opcua.decode.values import block_from_data_values

__all__ = [
    "MalformedNotification",
    "NodeHistory",
    "Publish",
    "PublishRefused",
    "Refused",
    "block_from_data_values",
    "decode_history",
    "decode_publish",
    "decode_republish",
    "decode_together",
]
