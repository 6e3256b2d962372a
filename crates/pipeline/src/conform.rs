//! What every protocol with a decoder of its own must keep, checked on its samples: the same events however the bytes are
//! cut, no panic on what is cut off or damaged, nothing held beyond the limits. Every such protocol runs [`check`] in its
//! tests. Knows nothing of any protocol.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sawlog_model::{Limits, Value};
use sawlog_sys::sim::Dice;

use crate::{DecodeError, Decoder, Protocol, Sample};

/// Limits under which lying lengths are tried: small enough to be passed by the bytes fed.
const TIGHT: Limits = Limits { event: 2 << 10, message: 8 << 10, depth: 32, fields: 50, names: 50 };

/// Bytes that follow a damaged sample, to see what is held of them.
const TAIL: usize = 20 << 10;

/// Samples up to this length are cut and damaged everywhere; longer ones at this many places.
const PLACES: usize = 600;

/// Checks a protocol's decoder on its samples; `seed` picks the random cuts and damages.
///
/// # Errors
/// In words, what was not kept, with the sample and the cut or the damage that shows it.
pub fn check(protocol: &Protocol, seed: u64) -> Result<(), String> {
    let Some(decoder) = protocol.decoder else {
        return Err(format!("{} has no decoder to check", protocol.name));
    };
    if protocol.samples.is_empty() {
        return Err(format!("{} has no samples", protocol.name));
    }
    let mut dice = Dice(seed);
    for sample in protocol.samples {
        let case = Case { decoder, sample };
        let done =
            case.cuts(&mut dice).and_then(|()| case.damages(&mut dice)).and_then(|()| case.lies(&mut dice));
        done.map_err(|what| format!("{}, sample \"{}\": {what}", protocol.name, sample.name))?;
    }
    Ok(())
}

type Events = Vec<(String, Value)>;

struct Case {
    decoder: fn(Limits) -> Box<dyn Decoder>,
    sample: &'static Sample,
}

impl Case {
    /// Feeds the pieces to a new decoder.
    fn run<'a>(
        &self,
        limits: Limits,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(Events, Result<(), DecodeError>), String> {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let mut decoder = (self.decoder)(limits);
            let mut events = Events::new();
            for piece in pieces {
                let fed = decoder.feed(piece, &mut |name, event| events.push((name.to_owned(), event)));
                if fed.is_err() {
                    return Ok((events, fed));
                }
                let most = limits.message.max(limits.event) + piece.len();
                if decoder.held() > most {
                    return Err(format!("it holds {} bytes where {most} are allowed", decoder.held()));
                }
            }
            Ok((events, Ok(())))
        }));
        attempt.unwrap_or_else(|_| Err("it panicked".to_owned()))
    }

    /// Feeds the pieces; what events come of them, and whether they are refused, does not matter.
    fn survives(&self, limits: Limits, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<(), String> {
        self.run(limits, pieces).map(drop)
    }

    /// The same events for every cut in two, byte by byte, and for random cuts.
    fn cuts(&self, dice: &mut Dice) -> Result<(), String> {
        let bytes = self.sample.bytes;
        let (wanted, end) = self.run(Limits::default(), [bytes].into_iter())?;
        end.map_err(|error| error.to_string())?;
        if wanted.len() != self.sample.events {
            return Err(format!("{} events, {} expected", wanted.len(), self.sample.events));
        }
        let same = |pieces: &[&[u8]], how: &str| {
            let (found, end) = self.run(Limits::default(), pieces.iter().copied())?;
            end.map_err(|error| format!("{how}: {error}"))?;
            let pairs = || found.iter().zip(&wanted);
            if found.len() != wanted.len() || !pairs().all(|(a, b)| a.0 == b.0 && a.1.same(&b.1)) {
                return Err(format!("{how}: other events than uncut"));
            }
            Ok(())
        };
        for at in places(dice, bytes.len()) {
            let (head, tail) = bytes.split_at(at);
            same(&[head, tail], &format!("cut at {at}"))?;
        }
        same(&bytes.chunks(1).collect::<Vec<_>>(), "byte by byte")?;
        for _ in 0..50 {
            let mut pieces = Vec::new();
            let mut rest = bytes;
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(1 + dice.below(rest.len().min(40)));
                pieces.push(head);
                rest = tail;
            }
            same(
                &pieces,
                &format!("cut to {:?}", pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>()),
            )?;
        }
        Ok(())
    }

    /// No panic on any beginning of the bytes and with any bit of them turned.
    fn damages(&self, dice: &mut Dice) -> Result<(), String> {
        let bytes = self.sample.bytes;
        for end in places(dice, bytes.len()) {
            self.survives(Limits::default(), &mut [&bytes[..end]].into_iter())
                .map_err(|what| format!("first {end} bytes: {what}"))?;
        }
        for at in places(dice, bytes.len()) {
            let mut damaged = bytes.to_vec();
            for bit in 0..8 {
                damaged[at] = bytes[at] ^ (1 << bit);
                self.survives(Limits::default(), &mut damaged.chunks(7))
                    .map_err(|what| format!("bit {bit} of byte {at} turned: {what}"))?;
            }
        }
        Ok(())
    }

    /// Nothing held beyond the limits where bytes of a sample are overwritten with ones that make lengths large, and
    /// much follows.
    fn lies(&self, dice: &mut Dice) -> Result<(), String> {
        let bytes = self.sample.bytes;
        for at in places(dice, bytes.len()) {
            for lie in [0xffu8, [0x7f, 0xc6, 0xdf, 0][dice.below(4)], [b'9', b'[', b'"'][dice.below(3)]] {
                let mut damaged = bytes.to_vec();
                let end = (at + 1 + dice.below(4)).min(damaged.len());
                damaged[at..end].fill(lie);
                let filler = [lie, 0, b'9', b'a', 0x91][dice.below(5)];
                damaged.resize(damaged.len() + TAIL, filler);
                self.survives(TIGHT, &mut damaged.chunks(4096)).map_err(|what| {
                    format!("{lie:#x} from byte {at} on, then {TAIL} of {filler:#x}: {what}")
                })?;
            }
        }
        Ok(())
    }
}

/// All places of `len` bytes, or some.
fn places(dice: &mut Dice, len: usize) -> Vec<usize> {
    if len <= PLACES { (0..len).collect() } else { (0..PLACES).map(|_| dice.below(len)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines, with faults that can be switched on.
    struct Lines {
        held: Vec<u8>,
        limits: Limits,
        bounded: bool,
        loses_at_cut: bool,
    }

    impl Decoder for Lines {
        fn feed(&mut self, bytes: &[u8], events: &mut dyn FnMut(&str, Value)) -> Result<(), DecodeError> {
            if self.loses_at_cut {
                self.held.clear();
            }
            self.held.extend_from_slice(bytes);
            while let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                assert!(line[0] != b'!', "a fault that only damage finds");
                events("", Value::Bin(line));
            }
            if self.bounded && self.held.len() > self.limits.message {
                return Err(DecodeError { reason: "too_large", what: "a line too long".into(), at: 0 });
            }
            Ok(())
        }

        fn held(&self) -> usize {
            self.held.len()
        }
    }

    fn protocol(decoder: fn(Limits) -> Box<dyn Decoder>, samples: &'static [Sample]) -> Protocol {
        Protocol { name: "lines", decoder: Some(decoder), samples, ..Protocol::EMPTY }
    }

    fn lines(limits: Limits, bounded: bool, loses_at_cut: bool) -> Box<dyn Decoder> {
        Box::new(Lines { held: Vec::new(), limits, bounded, loses_at_cut })
    }

    const GOOD: &[Sample] = &[Sample { name: "two", bytes: b"one\ntwo\n", events: 2 }];

    #[test]
    fn finds_what_is_not_kept() {
        let good: fn(Limits) -> Box<dyn Decoder> = |limits| lines(limits, true, false);
        let failing = |decoder, samples| check(&protocol(decoder, samples), 1).expect_err("a fault");
        assert_eq!(
            check(&protocol(good, &[Sample { name: "a", bytes: b"one\ntwo\n", events: 2 }]), 1),
            Ok(())
        );
        assert!(
            failing(good, &[Sample { name: "a", bytes: b"one\n", events: 2 }])
                .contains("1 events, 2 expected")
        );
        assert!(failing(|limits| lines(limits, true, true), GOOD).contains("cut at 1"));
        assert!(failing(|limits| lines(limits, false, false), GOOD).contains("it holds"));
        assert!(failing(good, &[Sample { name: "a", bytes: b"\x21a\n", events: 1 }]).contains("panicked"));
        assert!(
            failing(good, &[Sample { name: "a", bytes: b"#a\n", events: 1 }]).contains("turned: it panicked")
        );
    }
}
