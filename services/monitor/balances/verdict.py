"""The verdict: which of the things that can go wrong explains what is shown. Pure.

Every cause says by which checks it shows. Each check speaks for the causes that show
in it and against the others, by how far it is from its limit; checks that are quiet
speak, more softly, against the causes that should show in them. The shares of the
causes follow from Bayes' rule with equal priors; one of them is "something else".

Source: Pearl 1988, Probabilistic Reasoning in Intelligent Systems, ch. 2 (independent
evidence).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING

from shared.events import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.checks import PossibleCause

SEEN = 0.8
"""How likely a check is on if the cause shows in it (many come later)."""
MISSING = 0.35
"""How likely it is still quiet then."""
BY_CHANCE = 0.03
NOW_AND_THEN = 0.3
"""How likely a check is on that the cause sets off now and then."""
ELSE = 0.2
"""How likely a check is on by something that nobody thought of."""
FAINT, CLEAR = 0.4, 1.0
"""Score of a residual from which it begins to speak, and speaks fully."""
MOST_EVIDENCE = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """What a check of the vessel shows now."""

    strength: float
    """0 to 1; below zero where a residual is low."""
    words: str


def strength(score: float) -> float:
    """Return how clearly a residual speaks, 0 to 1, from its score.

    >>> strength(0.3), strength(0.7), strength(2.0)
    (0.0, 0.5, 1.0)
    """
    return round(min(max((score - FAINT) / (CLEAR - FAINT), 0.0), 1.0), 6)


def verdict(
    vessel: str,
    causes: Sequence[PossibleCause],
    raised: str,
    shown: Mapping[str, Shown],
) -> Verdict | None:
    """Return what is behind an alarm; None where no cause shows in its check.

    Args:
        vessel: for the tags' full names.
        causes: what can go wrong in it.
        raised: the check whose alarm is raised, without the vessel's name.
        shown: what the checks show, by name; the one that is raised among them.
    """
    fitting = [c for c in causes if _expected(c, raised, shown) > 0.0]
    if not fitting:
        return None
    named = sorted({_check(n) for c in causes for n in (*c.shows, *c.may)})
    support = {c.name: _support(c, named, shown) for c in fitting}
    other = sum(_other(name, shown) for name in named)
    most = max(*support.values(), other)
    weight = {name: exp(value - most) for name, value in support.items()}
    total = sum(weight.values()) + exp(other - most)
    ranked = sorted(fitting, key=lambda c: (-weight[c.name], c.name))
    best = ranked[0]
    kind = sum(weight[c.name] for c in ranked if c.kind is best.kind) / total
    tags = [f"{vessel}/{c.tag}" for c in ranked if c.tag is not None]
    return Verdict(
        kind=best.kind.value,
        cause=best.name,
        tag=None if best.tag is None else f"{vessel}/{best.tag}",
        confidence=round(kind, 3),
        evidence=_evidence(best, shown),
        ranked=tuple(dict.fromkeys(tags)),
        advice=best.advice,
    )


def _check(name: str) -> str:
    return name.rstrip("+-")


def _expected(
    cause: PossibleCause, check: str, shown: Mapping[str, Shown], *, may: bool = True
) -> float:
    """Return SEEN, NOW_AND_THEN or 0: whether the cause explains what a check shows."""
    side = shown[check].strength if check in shown else 0.0
    for names, chance in ((cause.shows, SEEN), (cause.may, NOW_AND_THEN)):
        for name in names:
            wrong = (name.endswith("+") and side < 0.0) or (
                name.endswith("-") and side > 0.0
            )
            if _check(name) == check and not wrong and (may or chance == SEEN):
                return chance
    return 0.0


def _support(
    cause: PossibleCause, named: Sequence[str], shown: Mapping[str, Shown]
) -> float:
    """Return the logarithm of how likely the cause makes what is shown."""
    total = 0.0
    for check in named:
        on = abs(shown[check].strength) if check in shown else 0.0
        chance = _expected(cause, check, shown)
        if chance == SEEN:
            total += on * log(SEEN) + (1.0 - on) * log(MISSING)
        elif chance:
            total += on * log(NOW_AND_THEN) + (1.0 - on) * log(1.0 - NOW_AND_THEN)
        else:
            total += on * log(BY_CHANCE) + (1.0 - on) * log(1.0 - BY_CHANCE)
    return total


def _other(check: str, shown: Mapping[str, Shown]) -> float:
    on = abs(shown[check].strength) if check in shown else 0.0
    return on * log(ELSE) + (1.0 - on) * log(1.0 - ELSE)


def _evidence(best: PossibleCause, shown: Mapping[str, Shown]) -> tuple[str, ...]:
    """Return what speaks for the cause, then what is missing, in words."""
    agree, missing = [], []
    for name in best.shows:
        check = _check(name)
        if check in shown and _expected(best, check, shown, may=False):
            agree.append((-abs(shown[check].strength), shown[check].words))
        else:
            missing.append(f"not (yet) in {check}")
    said = [words for _, words in sorted(agree, key=lambda pair: pair[0])]
    return (*said[:MOST_EVIDENCE], *missing[:1])
