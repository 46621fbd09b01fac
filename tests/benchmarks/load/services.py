"""The services of a load server that need no state, as asyncua's structures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from asyncua import ua

POLICY_NONE = "http://opcfoundation.org/UA/SecurityPolicy#None"
_TRANSPORT = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
_URI = "urn:fedbatch:load"


def endpoint(port: int) -> Any:
    """Return the only endpoint: no security, anonymous."""
    made = ua.EndpointDescription()
    made.EndpointUrl = f"opc.tcp://127.0.0.1:{port}"
    made.Server.ApplicationUri = _URI
    made.Server.ApplicationType = ua.ApplicationType.Server
    made.SecurityMode = ua.MessageSecurityMode.None_
    made.SecurityPolicyUri = POLICY_NONE
    token = ua.UserTokenPolicy()
    token.PolicyId = "anonymous"
    token.TokenType = ua.UserTokenType.Anonymous
    made.UserIdentityTokens = [token]
    made.TransportProfileUri = _TRANSPORT
    return made


def endpoints(port: int) -> Any:
    """Answer GetEndpoints."""
    response = ua.GetEndpointsResponse()
    response.Endpoints = [endpoint(port)]
    return response


def session(asked: Any, port: int, number: int) -> Any:
    """Answer CreateSession."""
    response = ua.CreateSessionResponse()
    result = response.Parameters
    result.SessionId = ua.NodeId(number, 1)
    result.AuthenticationToken = ua.NodeId(number + 1, 1)
    result.RevisedSessionTimeout = asked.Parameters.RequestedSessionTimeout
    result.ServerNonce = bytes(32)
    result.ServerEndpoints = [endpoint(port)]
    return response


def activated() -> Any:
    """Answer ActivateSession."""
    response = ua.ActivateSessionResponse()
    response.Parameters.ServerNonce = bytes(32)
    return response


def read(asked: Any) -> Any:
    """Answer Read: what a client asks about the server itself; it names no limits."""
    response = ua.ReadResponse()
    response.Results = [_fact(node.NodeId) for node in asked.Parameters.NodesToRead]
    return response


def _fact(node: ua.NodeId) -> Any:
    now = datetime.now(UTC).replace(tzinfo=None)
    ids, types = ua.ObjectIds, ua.VariantType
    namespaces = ["http://opcfoundation.org/UA/", _URI]
    facts: dict[int, Any] = {
        ids.Server_NamespaceArray: ua.Variant(namespaces, types.String),
        ids.Server_ServerStatus_StartTime: ua.Variant(now, types.DateTime),
        ids.Server_ServerStatus_CurrentTime: ua.Variant(now, types.DateTime),
        ids.Server_ServerStatus_State: ua.Variant(0, types.Int32),
    }
    if node.NamespaceIndex == 0 and node.Identifier in facts:
        return ua.DataValue(facts[node.Identifier])
    unknown = ua.DataValue()
    unknown.StatusCode = ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)
    return unknown


def publishing_mode(asked: Any) -> Any:
    """Answer SetPublishingMode."""
    response = ua.SetPublishingModeResponse()
    ids = asked.Parameters.SubscriptionIds
    response.Parameters.Results = [ua.StatusCode() for _ in ids]
    return response


def not_transferred(asked: Any) -> Any:
    """Answer TransferSubscriptions: none outlives its connection here."""
    response = ua.TransferSubscriptionsResponse()
    gone = ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)
    ids = asked.Parameters.SubscriptionIds
    response.Parameters.Results = [ua.TransferResult(gone) for _ in ids]
    return response


def deleted(asked: Any) -> Any:
    """Answer DeleteSubscriptions."""
    response = ua.DeleteSubscriptionsResponse()
    response.Results = [ua.StatusCode() for _ in asked.Parameters.SubscriptionIds]
    return response


def subscribed(asked: Any, number: int, keep_alive: int) -> Any:
    """Answer CreateSubscription: as it was asked for."""
    response = ua.CreateSubscriptionResponse()
    wanted, result = asked.Parameters, response.Parameters
    result.SubscriptionId = number
    result.RevisedPublishingInterval = wanted.RequestedPublishingInterval
    result.RevisedLifetimeCount = wanted.RequestedLifetimeCount
    result.RevisedMaxKeepAliveCount = keep_alive
    return response


def fault(name: str) -> Any:
    """Return a ServiceFault of a status by its name."""
    made = ua.ServiceFault()
    made.ResponseHeader.ServiceResult = ua.StatusCode(getattr(ua.StatusCodes, name))
    return made
