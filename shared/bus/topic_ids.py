"""Asks Kafka for topic ids, which aiokafka's own metadata request leaves out.

A topic that is deleted and made again keeps its name and starts at offset 0; only its
id tells a position of the old one from a position of the new one.

Source:
    Apache Kafka protocol guide, Metadata API version 12 (KIP-516)
"""

from __future__ import annotations

import uuid
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_API_KEY = 3
_API_VERSION = 12
_BITS = 64


class TopicIdsResponse(Response):  # type: ignore[misc]
    """Metadata response, version 12."""

    API_KEY = _API_KEY
    API_VERSION = _API_VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("id_high", Int64),
                ("id_low", Int64),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Struct(RequestStruct):  # type: ignore[misc]
    API_KEY = _API_KEY
    API_VERSION = _API_VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TopicIdsResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("id_high", Int64),
                ("id_low", Int64),
                ("topic", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicIdsRequest(Request[_Struct]):  # type: ignore[misc]
    """Metadata request for one topic, version 12."""

    API_KEY = _API_KEY

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_Struct]) -> Any:  # noqa: ANN401
        """Return the request as it is sent."""
        may_create = wants_operations = False
        return request_struct_class(
            [(0, 0, self._topic, {})], may_create, wants_operations, {}
        )


def topic_id(response: Any) -> tuple[int, str, int]:  # noqa: ANN401  aiokafka's own
    """Return error code, id and number of partitions of the one topic asked for."""
    topic = response.to_object()["topics"][0]
    high, low = topic["id_high"] % (1 << _BITS), topic["id_low"] % (1 << _BITS)
    identity = uuid.UUID(int=(high << _BITS) | low)
    return int(topic["error_code"]), identity.hex, len(topic["partitions"])
