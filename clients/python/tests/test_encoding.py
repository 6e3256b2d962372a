"""What is sent for each value, byte for byte where the protocol says so."""

import datetime
import decimal
import enum
import math
import uuid

import msgpack
import pytest

from sawlog.encoding import REPR_MOST, Encoder, entry_time, message


class Colour(enum.Enum):
    RED = 1


class Broken:
    def __repr__(self):
        raise RuntimeError


def unpacked(value):
    return msgpack.unpackb(Encoder().pack(value), strict_map_key=False)


def test_times_are_event_times():
    assert entry_time(1441588984).hex() == "92d70055ece6f800000000"
    assert entry_time(1441588984.25).hex() == "92d70055ece6f80ee6b280"
    assert entry_time(1441588984.9999998).hex() == "92d70055ece6f83b9ac618"


def test_a_message_is_that_of_other_clients():
    # The vector of @fluent-org/logger for PackedForward with EventTime and ack, its map in our order.
    expected = (
        "93a3702e6c" "c40f" "92d70055ece6f80ee6b28081a16101"
        "82a473697a6501a56368756e6bb8474d57696145506966574c77356a6f547a2b746645413d3d"
    )
    assert message("p.l", [(1441588984.25, bytes.fromhex("81a16101"))], "GMWiaEPifWLw5joTz+tfEA==", "").hex() == expected


@pytest.mark.parametrize(
    "value,sent",
    [
        (decimal.Decimal("1.5"), "1.5"),
        (datetime.date(2013, 12, 10), "2013-12-10"),
        (datetime.datetime(2013, 12, 10, tzinfo=datetime.timezone.utc), 1386633600.0),
        (datetime.timedelta(seconds=1.5), 1.5),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, 1),
        ({1}, [1]),
        ((1, "a"), [1, "a"]),
        (b"\xff", b"\xff"),
        (2**64 - 1, 2**64 - 1),
        (2**64, str(2**64)),
        (-(2**70), str(-(2**70))),
        ("\ud800é", "\\ud800é"),
        (object, "<class 'object'>"),
        ("seléct", "seléct"),
        (None, None),
    ],
)
def test_values(value, sent):
    assert unpacked({"k": value}) == {"k": sent}
    # The same beside something that cannot be packed, which takes the other way.
    assert unpacked({"k": value, "big": 2**99}) == {"k": sent, "big": str(2**99)}


def test_what_has_no_end_or_no_text():
    endless = {}
    endless["self"] = endless
    deep = []
    for _ in range(2000):
        deep = [deep]
    sent = unpacked({"a": endless, "b": deep, "c": Broken(), "d": "x" * 5000, "e": Broken})
    assert sent["c"].startswith("<Broken") and len(sent["d"]) == 5000
    assert len(str(sent["a"])) < 100 * REPR_MOST
    assert math.isnan(unpacked(math.nan))


def test_keys_that_are_no_text():
    assert unpacked({1: "a"}) == {1: "a"}
    assert unpacked({1: 2**99, None: 1}) == {1: str(2**99), None: 1}
    assert unpacked({Broken: 2**99, 2**80: 1}) == {repr(Broken): str(2**99), str(2**80): 1}
