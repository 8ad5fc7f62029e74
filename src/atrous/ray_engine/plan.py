"""Which pictures are in which shard, written down once, so that each has its place whatever is killed or added later.

`plan.json` says what was ordered and how many shards that makes; `plan/shard-00017.jsonl` has a line for each picture,
its address and the name of its results. `plan.json` is put last: without it there is no plan.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from atrous.core.errors import ConflictError, InvalidInputError
from atrous.ray_engine.digests import Digests, keep_firsts
from atrous.ray_engine.places import Listed, list_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from atrous.ray_engine.outputs import Output

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        asked: what the results depend on, by the names of the options; another order of the same is the same run.
        backend: what runs the network, on every machine.
        precision: how the network is run, on every machine.
        pictures: how many there are.
        shard_size: how many of them a shard has, but for the last.
    """

    asked: dict[str, Any]
    backend: str
    precision: str
    pictures: int
    shard_size: int

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-self.pictures // self.shard_size)

    def count_pictures(self, shard: int) -> int:
        """How many pictures a shard has."""
        return min(self.shard_size, self.pictures - shard * self.shard_size)


def name_shard(number: int) -> str:
    """The name of a shard's files, without an ending."""
    return f"shard-{number:05d}"


def read_plan(output: Output, asked: dict[str, Any]) -> Plan | None:
    """The plan of an earlier run of the same order; None if there is none.

    Raises:
        ConflictError: if it was another order.
    """
    content = output.read(PLAN)
    if content is None:
        return None
    try:
        found = json.loads(content)
        plan = Plan(**{field.name: found[field.name] for field in fields(Plan)})
    except (ValueError, TypeError, KeyError) as error:
        raise ConflictError(f"--out: its {PLAN} is damaged; choose another --out") from error
    for name, value in asked.items():
        if plan.asked.get(name) != value:
            raise ConflictError(
                f"--out: holds a run whose {name} is {plan.asked.get(name)!r}, not {value!r}; order the same again or "
                "choose another --out"
            )
    return plan


def make_plan(
    output: Output, places: Sequence[str], asked: dict[str, Any], *, backend: str, precision: str, shard_size: int
) -> Plan:
    """List the pictures, each once, deal them to shards and write that down.

    Raises:
        InvalidInputError: if a place holds none, or names cannot be told apart.
        StorageError: if the output refuses.
    """
    with TemporaryFile("w+", encoding="utf-8") as draft:
        pictures, has_stems, is_first_N = _draft(places, draft)
        draft.seek(0)
        kept = (Listed(*json.loads(line)) for line, is_first in zip(draft, is_first_N, strict=True) if is_first)
        named = (one._replace(name=_cut_suffix(one.name)) for one in kept) if has_stems else kept
        for number in range(-(-pictures // shard_size)):
            lines = "".join(f"{json.dumps(one)}\n" for one in islice(named, shard_size))
            output.put(f"plan/{name_shard(number)}.jsonl", lines.encode())
    plan = Plan(asked, backend, precision, pictures, shard_size)
    output.put(PLAN, json.dumps(asdict(plan), indent=2).encode())
    return plan


def read_shard(output: Output, number: int) -> Iterator[Listed]:
    """The pictures of a shard, in order.

    Raises:
        ConflictError: if they are gone.
    """
    content = output.read(f"plan/{name_shard(number)}.jsonl")
    if content is None:
        raise ConflictError(f"--out: plan/{name_shard(number)}.jsonl is gone; choose another --out")
    return (Listed(*json.loads(line)) for line in content.splitlines())


def _draft(places: Sequence[str], draft: IO[str]) -> tuple[int, bool, NDArray[np.bool_]]:
    """Write all that is listed; tell how many pictures that are, whether stems name them, and which lines are firsts.

    Of each picture a few bytes are held, and no object.
    """
    addresses, names, stems = Digests(), Digests(), Digests()
    for one in list_pictures(places):
        draft.write(f"{json.dumps(one)}\n")
        addresses.add(one.address)
        names.add(one.name)
        stems.add(_cut_suffix(one.name))
    is_first_N = keep_firsts(addresses)
    pictures = int(is_first_N.sum())
    has_stems = bool(keep_firsts(stems)[is_first_N].all())
    if not has_stems and not keep_firsts(names)[is_first_N].all():
        raise InvalidInputError(f"{', '.join(places)}: two pictures have one name; see them in two runs")
    return pictures, has_stems, is_first_N


def _cut_suffix(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{base.rpartition('.')[0] or base}"
