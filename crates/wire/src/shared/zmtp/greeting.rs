//! What comes before messages: finding out what the peer speaks, and READY. Knows nothing of connections.

use bytes::{Buf, Bytes, BytesMut};

use super::{COMMAND_MOST, PROPERTIES_MOST, Role, Version};

/// The first bytes of either side. To a peer of ZMTP 1 they are an identity of one byte of flags.
pub(super) const SIGNATURE: [u8; 10] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f];

/// Bytes of a greeting of ZMTP 3, and where in it stand the minor version and the mechanism.
const GREETING: usize = 64;
const MECHANISM: std::ops::Range<usize> = 12..32;

/// What was said so far.
#[derive(Default)]
pub(super) struct Greeting {
    /// The signature of the peer was seen, and its version asked for.
    signed: bool,
    /// The rest of our greeting was sent.
    answered: bool,
}

/// What a piece of the greeting says.
pub(super) enum Said {
    /// Not enough of it.
    More,
    /// Something, but not all.
    On,
    /// What the peer speaks.
    Version(Version),
}

impl Greeting {
    /// Reads on; what is whole is taken out of `buffer`.
    pub fn read(&mut self, buffer: &mut BytesMut, role: Role, out: &mut BytesMut) -> Result<Said, String> {
        let Some(first) = buffer.first() else { return Ok(Said::More) };
        if *first != 0xff {
            return Ok(Said::Version(Version::V1));
        }
        let Some(last) = buffer.get(9) else { return Ok(Said::More) };
        if last & 1 == 0 {
            // The first frame of ZMTP 1 with a length of eight bytes: an identity, whose flags stand here.
            return Ok(Said::Version(Version::V1));
        }
        if !self.signed {
            self.signed = true;
            // The major version; what else there is to say depends on the peer's.
            out.extend_from_slice(&[3]);
            return Ok(Said::On);
        }
        let Some(major) = buffer.get(10).copied() else { return Ok(Said::More) };
        match major {
            0 => Err("a peer of a version that never was released".to_owned()),
            1 | 2 => {
                if !std::mem::replace(&mut self.answered, true) {
                    out.extend_from_slice(&[role.number()]);
                }
                let Some(kind) = buffer.get(11).copied() else { return Ok(Said::More) };
                if role.partners().iter().all(|(_, number)| *number != kind) {
                    return Err(format!("a socket of type {kind} cannot talk to {}", role.name()));
                }
                buffer.advance(12);
                Ok(Said::Version(Version::V2))
            }
            3.. => {
                if !std::mem::replace(&mut self.answered, true) {
                    let mut rest = [0; GREETING - 11];
                    rest[1..5].copy_from_slice(b"NULL");
                    out.extend_from_slice(&rest);
                }
                if buffer.len() < GREETING {
                    return Ok(Said::More);
                }
                let mechanism = buffer[MECHANISM].split(|byte| *byte == 0).next().unwrap_or_default();
                if mechanism != b"NULL" {
                    let name = String::from_utf8_lossy(mechanism);
                    return Err(format!("the peer wants the mechanism {name}; there is only NULL"));
                }
                buffer.advance(GREETING);
                Ok(Said::Version(Version::V3))
            }
        }
    }
}

/// Appends a command frame.
pub(super) fn command(name: &[u8], body: &[u8], out: &mut BytesMut) {
    let len = 1 + name.len() + body.len();
    match u8::try_from(len) {
        Ok(len) => out.extend_from_slice(&[4, len]),
        Err(_) => {
            out.extend_from_slice(&[6]);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[name.len() as u8]);
    out.extend_from_slice(name);
    out.extend_from_slice(body);
}

/// Our READY.
pub(super) fn ready(role: Role, properties: &[(&str, &[u8])]) -> BytesMut {
    let mut body = Vec::new();
    let mut property = |name: &str, value: &[u8]| {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    };
    property("Socket-Type", role.name().as_bytes());
    if matches!(role, Role::Req | Role::Rep) {
        property("Identity", b"");
    }
    properties.iter().for_each(|(name, value)| property(name, value));
    let mut out = BytesMut::new();
    command(b"READY", &body, &mut out);
    out
}

/// The name of a command, and what follows it.
pub(super) fn name(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = body.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

type Refused = (&'static str, String);

/// The properties of the peer's READY, where it is one of a socket that `role` talks to.
pub(super) fn read_ready(body: &Bytes, role: Role) -> Result<Vec<(String, Bytes)>, Refused> {
    let broken = |what: &str| ("handshake", what.to_owned());
    let read = name(body).filter(|_| body.len() <= COMMAND_MOST);
    let (name, rest) = read.ok_or_else(|| broken("a command without a name, or too long a one"))?;
    match name {
        b"READY" => {}
        b"ERROR" => return Err(broken("the peer refuses")),
        _ => return Err(broken("another command before READY")),
    }
    let mut rest = body.slice_ref(rest);
    let mut properties = Vec::new();
    while !rest.is_empty() {
        if properties.len() == PROPERTIES_MOST {
            return Err(broken("too many properties"));
        }
        properties.push(property(&mut rest).ok_or_else(|| broken("a property that ends too early"))?);
    }
    let kind = properties.iter().find(|(name, _)| name.eq_ignore_ascii_case("Socket-Type"));
    let kind = kind.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
    if role.partners().iter().all(|(name, _)| *name != kind) {
        return Err(("socket_type", format!("a socket of type `{kind}` cannot talk to {}", role.name())));
    }
    Ok(properties)
}

fn property(rest: &mut Bytes) -> Option<(String, Bytes)> {
    let len = usize::from(*rest.first()?);
    let name = String::from_utf8_lossy(rest.get(1..1 + len)?).into_owned();
    let size = u32::from_be_bytes(rest.get(1 + len..5 + len)?.try_into().ok()?) as usize;
    let value = 5 + len..(5 + len).checked_add(size)?;
    rest.get(value.clone())?;
    let found = rest.slice(value.clone());
    rest.advance(value.end);
    Some((name, found))
}
