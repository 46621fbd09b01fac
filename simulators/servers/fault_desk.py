"""The object `Faults`: injects and clears faults at run time, and lists them.

Methods `Inject(Vessel, Fault, Magnitude, DurationS)`, which answers the fault's
identifier, and `Clear(Vessel, Fault)`, which answers how many it ended; NaN stands for
the catalogue's default. What does not fit is answered BadInvalidArgument and changes
nothing. `Active` lists what is planned or at work. Engineers may call.
"""

from __future__ import annotations

import json
import logging
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from asyncua import ua

from simulators.faults.injections import InjectionRefused
from simulators.faults.record import described
from simulators.servers.roles import Role
from simulators.site import VesselUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncua import Server

    from simulators.faults.injections import Injection, Injections
    from simulators.servers.roles import Guard
    from simulators.site import Site

_log = logging.getLogger(__name__)
OBJECT = "Faults"


class FaultDesk:
    """Serves a site's faults; calls come between two instants of the loop."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._active: Any = None
        self._truth: Any = None

    async def build(self, server: Server, namespace: int, guard: Guard) -> None:
        """Add the object; the server does not listen yet."""

        def named(identifier: str) -> tuple[Any, Any]:
            name = identifier.rpartition(".")[2]
            return ua.NodeId(identifier, namespace), ua.QualifiedName(name, namespace)

        desk = await server.nodes.objects.add_object(*named(OBJECT))
        inject = await desk.add_method(
            *named(f"{OBJECT}.Inject"),
            self._inject,
            [
                _argument("Vessel", ua.ObjectIds.String, "for example BR101"),
                _argument("Fault", ua.ObjectIds.String, "for example A06"),
                _argument("Magnitude", ua.ObjectIds.Double, "NaN: the default"),
                _argument("DurationS", ua.ObjectIds.Double, "s; NaN: the default"),
            ],
            [_argument("Id", ua.ObjectIds.String, "in the record of truth")],
        )
        clear = await desk.add_method(
            *named(f"{OBJECT}.Clear"),
            self._clear,
            [
                _argument("Vessel", ua.ObjectIds.String, "for example BR101"),
                _argument("Fault", ua.ObjectIds.String, "for example A06"),
            ],
            [_argument("Ended", ua.ObjectIds.Int32, "faults ended or cancelled")],
        )
        for method in (inject, clear):
            guard.reserve(method.nodeid, Role.ENGINEER)
        self._active = await desk.add_variable(
            *named(f"{OBJECT}.Active"), [], ua.VariantType.String
        )
        self._truth = await desk.add_variable(
            *named(f"{OBJECT}.Truth"), [], ua.VariantType.String
        )
        await self.show()

    async def show(
        self, news: Sequence[tuple[Injections, int, list[Injection]]] = ()
    ) -> None:
        """Bring `Active` up to date; tell `Truth` what has changed."""
        told = [
            json.dumps(described(injections, one, seed))
            for injections, seed, changed in news
            for one in changed
        ]
        if told:
            body = ua.Variant(told, ua.VariantType.String, is_array=True)
            await self._truth.write_value(body)
        lines = [
            _line(described(suite.plant.injections, one, suite.plant.layout.seed))
            for suite in self._site.suites
            for one in suite.plant.injections.all
            if not one.over
        ]
        variant = ua.Variant(lines, ua.VariantType.String, is_array=True)
        await self._active.write_value(variant)

    async def _inject(self, parent: Any, *given: Any) -> Any:  # noqa: ANN401
        del parent
        values = _values(given, (str, str, float, float))
        if values is None:
            return _refused("Inject", "expected Vessel, Fault, Magnitude, DurationS")
        vessel, fault, magnitude, seconds = values
        try:
            one = self._site.inject(
                vessel,
                fault,
                None if math.isnan(magnitude) else magnitude,
                None if math.isnan(seconds) else timedelta(seconds=seconds),
            )
        except (InjectionRefused, VesselUnknown, OverflowError) as error:
            return _refused("Inject", str(error))
        _log.info("injected %s", one.id)
        await self.show()
        return [ua.Variant(one.id, ua.VariantType.String)]

    async def _clear(self, parent: Any, *given: Any) -> Any:  # noqa: ANN401
        del parent
        values = _values(given, (str, str))
        if values is None:
            return _refused("Clear", "expected Vessel and Fault")
        try:
            vessel, fault = values
            ended = self._site.clear(vessel, fault)
        except (InjectionRefused, VesselUnknown) as error:
            return _refused("Clear", str(error))
        _log.info("cleared %d of %s in %s", ended, values[1], values[0])
        await self.show()
        return [ua.Variant(ended, ua.VariantType.Int32)]


def _values(given: tuple[Any, ...], kinds: tuple[type, ...]) -> list[Any] | None:
    """Return the arguments' contents; None when one is missing or of another type."""
    values = [variant.Value for variant in given]
    fits = len(values) == len(kinds) and all(map(isinstance, values, kinds))
    return values if fits else None


def _refused(method: str, why: str) -> Any:  # noqa: ANN401  StatusCode
    _log.warning("%s refused: %s", method, why)
    return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)


def _argument(name: str, kind: int, description: str) -> Any:  # noqa: ANN401
    return ua.Argument(
        Name=name,
        DataType=ua.NodeId(kind),
        ValueRank=ua.ValueRank.Scalar,
        Description=ua.LocalizedText(description),
    )


def _line(body: dict[str, Any]) -> str:
    return (
        f"{body['id']} {body['name']}: {body['state']}, "
        f"magnitude {body['magnitude']:g} {body['unit']}, "
        f"{body['onset'] or 'after going live'} to {body['end'] or 'its duration'}"
    )
