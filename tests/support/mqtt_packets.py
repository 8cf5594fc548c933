"""Hypothesis strategies for every MQTT packet that can be encoded."""

from __future__ import annotations

from hypothesis import strategies as st

from vigie_edgehub.mqtt.packets import (
    ConnAck,
    Connect,
    Disconnect,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
)

# Text that MQTT can carry: no surrogates, no U+0000.
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=40)
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00#+"), min_size=1, max_size=60)
filters = texts.filter(bool)
packet_ids = st.integers(1, 65_535)
payloads = st.binary(max_size=400)


@st.composite
def publishes(draw: st.DrawFn) -> Publish:
    qos = draw(st.integers(0, 2))
    return Publish(
        topic=draw(names),
        payload=draw(payloads),
        qos=qos,
        packet_id=draw(packet_ids) if qos else 0,
        dup=draw(st.booleans()) if qos else False,
        retain=draw(st.booleans()),
    )


@st.composite
def connects(draw: st.DrawFn) -> Connect:
    username = draw(st.none() | texts)
    return Connect(
        client_id=draw(texts),
        username=username,
        password=draw(st.none() | payloads) if username is not None else None,
        keep_alive_s=draw(st.integers(0, 65_535)),
        clean_session=draw(st.booleans()),
        will=draw(
            st.none() | st.builds(Will, topic=names, payload=payloads, qos=st.integers(0, 2), retain=st.booleans())
        ),
    )


packets = st.one_of(
    publishes(),
    connects(),
    st.builds(ConnAck, session_present=st.booleans(), return_code=st.integers(0, 5)),
    *(st.builds(kind, packet_id=packet_ids) for kind in (PubAck, PubRec, PubRel, PubComp, UnsubAck)),
    st.builds(
        Subscribe,
        packet_id=packet_ids,
        filters=st.lists(st.tuples(filters, st.integers(0, 2)), min_size=1, max_size=5).map(tuple),
    ),
    st.builds(
        SubAck,
        packet_id=packet_ids,
        return_codes=st.lists(st.sampled_from([0, 1, 2, 0x80]), min_size=1, max_size=5).map(tuple),
    ),
    st.builds(Unsubscribe, packet_id=packet_ids, filters=st.lists(filters, min_size=1, max_size=5).map(tuple)),
    st.sampled_from([PingReq(), PingResp(), Disconnect()]),
)
