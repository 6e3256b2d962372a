//! Streams of real clients, byte for byte.

use sawlog_pipeline::Sample;

/// Bytes of hex digits; blanks are only for reading.
macro_rules! hex {
    ($text:expr) => {{
        const TEXT: &[u8] = $text.as_bytes();
        const BYTES: [u8; digits(TEXT) / 2] = decode(TEXT);
        &BYTES
    }};
}

const fn digits(text: &[u8]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < text.len() {
        if text[at].is_ascii_hexdigit() {
            count += 1;
        }
        at += 1;
    }
    count
}

const fn decode<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let (mut at, mut done) = (0, 0);
    while at < text.len() {
        let digit = match text[at] {
            b'0'..=b'9' => text[at] - b'0',
            b'a'..=b'f' => text[at] - b'a' + 10,
            _ => {
                at += 1;
                continue;
            }
        };
        bytes[done / 2] = bytes[done / 2] << 4 | digit;
        done += 1;
        at += 1;
    }
    bytes
}

const fn sample(name: &'static str, events: usize, bytes: &'static [u8]) -> Sample {
    Sample { name, bytes, events }
}

/// Samples of every mode, from the clients named.
pub(super) const SAMPLES: &[Sample] = &[
    sample("@fluent-org/logger: Message", 1, hex!("94 a3702e6c ce55ece6f8 81a16101 80")),
    sample("@fluent-org/logger: Forward", 1, hex!("93 a3702e6c 91 92ce55ece6f881a16101 81 a473697a65 01")),
    sample("@fluent-org/logger: PackedForward", 1, hex!("93 a3702e6c c40a 92ce55ece6f881a16101 81 a473697a65 01")),
    sample(
        "@fluent-org/logger: CompressedPackedForward",
        1,
        hex!(
            "93 a3702e6c c41e 1f8b08000000000000039b742ef4cdb31f8d0b131901c3b6f0b10a000000 82 a473697a65 01
             aa636f6d70726573736564 a4677a6970"
        ),
    ),
    sample(
        "@fluent-org/logger: Message, EventTime, ack",
        1,
        hex!(
            "94 a3702e6c d70055ece6f80ee6b280 81a16101 81 a56368756e6b
             b8797179535648643558635a67473434792b6245494d513d3d"
        ),
    ),
    sample(
        "@fluent-org/logger: Forward, EventTime, ack",
        1,
        hex!(
            "93 a3702e6c 91 92d70055ece6f80ee6b28081a16101 82 a473697a65 01 a56368756e6b
             b86a39564c6e4f4a687a554d6c66754f645651713730673d3d"
        ),
    ),
    sample(
        "@fluent-org/logger: PackedForward, EventTime, ack",
        1,
        hex!(
            "93 a3702e6c c40f 92d70055ece6f80ee6b28081a16101 82 a473697a65 01 a56368756e6b
             b8474d57696145506966574c77356a6f547a2b746645413d3d"
        ),
    ),
    sample(
        "npm fluent-logger: Message, then with EventTime, then with ack, on one connection",
        3,
        hex!(
            "93 a474702e6c ce55ece6f8 81a16202
             93 a474702e6c d70055ece6f80ee6b280 81a16202
             94 a474702e6c ce55ece6f8 81a16202 81 a56368756e6b b84c62786a714f705939432f515170565246436a4c2f673d3d"
        ),
    ),
    sample(
        "npm fluent-logger: PackedForward, size in bytes",
        1,
        hex!(
            "93 a474702e6c c40a 92ce55ece6f881a16202 84 a56368756e6b
             b873786152436668756c46474337414b754f6545737a413d3d a473697a65 0a aa636f6d70726573736564 a474657874
             b26576656e74456e7472794461746153697a65 0a"
        ),
    ),
    sample(
        "npm fluent-logger: CompressedPackedForward",
        1,
        hex!(
            "93 a474702e6c c41e 1f8b08000000000000039b742ef4cdb31f8d0b939800bab4d4030a000000 84 a56368756e6b
             b847397373676f6e66624b506559785565765a696477413d3d a473697a65 1e aa636f6d70726573736564 a4677a6970
             b26576656e74456e7472794461746153697a65 0a"
        ),
    ),
    sample(
        "fluent-logger (Python): four kinds of emit",
        4,
        hex!(
            "93 aa6170702e666f6c6c6f77 ce55ece6f8 82 a466726f6d a161 a2746f a162
             93 a5 6170702e78 ce55ece6f8 81 a16b 01
             93 aa 6170702e666f6c6c6f77 d70055ece6f80ee6b280 81 a161 01
             93 a3 617070 ce55ece6f8 88 a175 a2c3a9 a162 c402ff00 a166 cb3ff8000000000000 a16e c0 a36e6567 ff
             a3626967 cf0000010000000000 a16c 9201a178 a174 c3"
        ),
    ),
    sample(
        "fluent-logger (Python): FluentHandler",
        3,
        hex!(
            "93aa6170702e666f6c6c6f77ce6b00dcba84a87379735f686f7374a2766da87379735f6e616d65a2666caa7379735f6d6f64756c65
             a2666ca16ba176
             93aa6170702e666f6c6c6f77ce6b00dcba84a87379735f686f7374a2766da87379735f6e616d65a2666caa7379735f6d6f64756c65
             a2666ca76d657373616765a7706c61696e2078
             93aa6170702e666f6c6c6f77ce6b00dcba84a87379735f686f7374a2766da87379735f6e616d65a2666caa7379735f6d6f64756c65
             a2666ca16a01"
        ),
    ),
    sample(
        "v1.5: times with metadata, heartbeats between",
        2,
        hex!("c0 93 a3702e6c 92 92 92 ce55ece6f8 80 81a16101 92 92 ce55ece6f8 81a16b01 81a16101 80 c0"),
    ),
    sample(
        "JSON: Message and Forward",
        3,
        br#"["p.l",1441588984,{"a":1}] ["p.l",[[1441588984,{"a":"]"}],[1441588984,{"a":"\""}]],{"chunk":"x"}]"#,
    ),
];
