"""The states of a batch and the commands that change them, after ISA-88. Pure.

```
          start              end of the recipe
   Idle ---------> Running -------------------> Complete
                   |  ^  |
              hold |  |  | abort
                   v  |  v
      Holding, Held --+  Aborting, Aborted
                restart
```
Complete and Aborted are the last ten minutes of Harvest, when the vessel is empty; they
end with the reset for the next batch. A hold stands the feeds and
the recipe, not the cells: loops go on, and phases that become due begin at the restart.
An abort begins to empty the vessel at once.
"""

from __future__ import annotations

from enum import StrEnum

from shared.domain import FedbatchError


class State(StrEnum):
    """What the procedure of a vessel is doing."""

    IDLE = "Idle"
    RUNNING = "Running"
    HELD = "Held"
    ABORTING = "Aborting"
    """The vessel is being emptied."""
    ABORTED = "Aborted"
    COMPLETE = "Complete"


class Command(StrEnum):
    """What an operator, or the recipe, may ask for."""

    START = "Start"
    HOLD = "Hold"
    RESTART = "Restart"
    ABORT = "Abort"
    FINISH = "Finish"
    """The recipe has come to its end, or the vessel is empty."""
    RESET = "Reset"


COMMANDS = (Command.START, Command.HOLD, Command.RESTART, Command.ABORT)
"""What operators may ask for; the rest is the recipe's."""


class CommandRefused(FedbatchError):  # noqa: N818
    """A command that the state does not allow; the message says which it allows."""


_FOLLOWS: dict[State, dict[Command, State]] = {
    State.IDLE: {Command.START: State.RUNNING},
    State.RUNNING: {
        Command.HOLD: State.HELD,
        Command.ABORT: State.ABORTING,
        Command.FINISH: State.COMPLETE,
    },
    State.HELD: {Command.RESTART: State.RUNNING, Command.ABORT: State.ABORTING},
    State.ABORTING: {Command.FINISH: State.ABORTED},
    State.ABORTED: {Command.RESET: State.IDLE},
    State.COMPLETE: {Command.RESET: State.IDLE},
}


def follows(state: State, command: Command) -> State:
    """Return the state after a command.

    >>> follows(State.RUNNING, Command.HOLD)
    <State.HELD: 'Held'>

    Raises:
        CommandRefused: it is not allowed in this state.
    """
    allowed = _FOLLOWS[state]
    if command not in allowed:
        expected = ", ".join(allowed)
        raise CommandRefused(f"{command} while {state}: expected {expected}")
    return allowed[command]


def allowed(state: State) -> frozenset[Command]:
    """Return the commands that a state takes."""
    return frozenset(_FOLLOWS[state])
