"""Times of a keeper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick a keeper is, in seconds.

    Attributes:
        poll_s: between two looks at the store; what a process does is noticed at once.
        lease_s: how long after a keeper's death another one may take its deployments.
        spare_every: of so many looks, one takes what does not fit, if no other host has taken it by then.
        linger_s: that a process still answers after another address was told; longer than addresses are remembered.
        drain_s: that a process has for what it began, before it is killed.
        end_s: that all have for this together when the keeper ends.
        start_s: that a process may take until it is ready.
        probe_s: between two questions to a process that is not ready yet.
        health_s: between two to one that is.
        answer_s: that it has for an answer; three of them missed, and it is killed.
        steady_s: after so long a life, a death counts as the first one.
        longest_pause_s: before a process is started again.
    """

    poll_s: float = 1
    lease_s: float = 10
    spare_every: int = 5
    linger_s: float = 3
    drain_s: float = 40
    end_s: float = 9
    start_s: float = 600
    probe_s: float = 0.2
    health_s: float = 5
    answer_s: float = 5
    steady_s: float = 60
    longest_pause_s: float = 60


DEFAULT_PACE = Pace()
