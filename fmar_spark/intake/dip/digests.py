"""Digests of what messages say, by which a message that comes again is told from another one under the same id."""

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fmar_spark.intake.dip.consumption import Consumed
from fmar_spark.intake.dip.headers import Headers
from fmar_spark.intake.dip.structs import Message, unmask

DIGEST_BYTES: Final = 16
SEPARATOR: Final = "\x1f"


def digest_messages(
    messages: list[Message], headers: Headers, consumed: Consumed, standing: list[dict[str, object] | None], kept: NDArray[np.int64]
) -> list[str]:
    """32 hexadecimal digits for each kept message.

    They cover everything that is read of a message but the marks of its delivery (publication, replay, sender, source),
    and do not depend on how the JSON was written: which form of IF-021, the order of keys, or ``0.5`` for ``0.500``.
    """
    days = consumed.days
    packed = np.concatenate(
        [days.utc_day[:, None].view(np.uint8), days.kwh.view(np.uint8), days.quality.view(np.uint8), days.reason.view(np.uint8)], axis=1
    )
    row_bytes = packed.shape[1]
    body = packed.tobytes()
    first = (np.searchsorted(days.message, kept, "left") * row_bytes).tolist()
    end = (np.searchsorted(days.message, kept, "right") * row_bytes).tolist()
    digests = []
    for number, place in enumerate(kept.tolist()):
        common = messages[place].payload.common
        head = (
            common.interface.id[-3:],
            unmask(common.interface.event_code),
            common.meter.mpan,
            unmask(common.meter.distributor_dip_id),
            unmask(common.meter.gsp_group_id),
            int(headers.second[place]),
            consumed.quantity[place],
            days.amendment.get(place),
            standing[place],
        )
        text = SEPARATOR.join(map(repr, head)).encode("utf-8", "surrogatepass")
        digests.append(blake2b(text + body[first[number] : end[number]], digest_size=DIGEST_BYTES).hexdigest())
    return digests
