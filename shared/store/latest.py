"""The newest reading of each tag, kept in memory and written now and then.

The table only spares a restart the search; the readings are the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.readings import Block, empty, merge
from shared.store.moments import moment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.store.pool import Connection

_WRITE = """
insert into latest (tag, time, value, text, status, received)
select * from unnest($1::int[], $2::timestamptz[], $3::float8[], $4::text[],
                     $5::int[], $6::timestamptz[])
on conflict (tag) do update
set time = excluded.time, value = excluded.value, text = excluded.text,
    status = excluded.status, received = excluded.received
where excluded.time >= latest.time"""


def newest(block: Block) -> Block:
    """Return the reading with the greatest time of each tag, by ascending tag."""
    order = np.lexsort((block.time, block.tag))
    tags = block.tag[order]
    last = np.concatenate((tags[1:] != tags[:-1], [True]))[: len(tags)]
    return block.take(order[last])


class Newest:
    """What is newer than the table.

    Bounded by: one reading per tag. When full: cannot be. Order: by source time; of
    equal times the later arrival holds. Duplicates: harmless. On cancel: `written`
    was not called, so the next flush writes the same again.
    """

    def __init__(self) -> None:
        self._unwritten = empty()

    def add(self, block: Block) -> None:
        """Take note of stored readings."""
        if len(block):
            self._unwritten = newest(merge([self._unwritten, newest(block)]))

    def take(self) -> Block:
        """Return what is to be written and forget it; give it back if that fails."""
        taken, self._unwritten = self._unwritten, empty()
        return taken

    def give_back(self, block: Block) -> None:
        """Take up what could not be written; newer readings of the same tag hold."""
        self._unwritten = newest(merge([block, self._unwritten]))


async def write_latest(connection: Connection, block: Block) -> None:
    """Write one reading per tag where it is newer than the table's."""
    if not len(block):
        return
    texts = [None] * len(block) if block.text is None else block.text.to_pylist()
    await connection.execute(
        _WRITE,
        block.tag.tolist(),
        [moment(us) for us in block.time.tolist()],
        [None if value != value else value for value in block.value.tolist()],  # noqa: PLR0124
        texts,
        signed(block.status).tolist(),
        [moment(us) for us in block.received.tolist()],
    )


def signed(status: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Return StatusCodes as the int4 with the same bits, as tables keep them."""
    return status.view(np.int32)
