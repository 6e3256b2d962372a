//! ZMTP, the protocol of ZeroMQ's sockets, with the NULL mechanism: a [`Session`] turns the bytes of one connection into
//! messages and says what is to be written back; it speaks ZMTP 3.x, 2.0 (libzmq 3) and 1.0 (libzmq 2), whichever the peer
//! does. [`greet`] runs its handshake over a connection. Nothing is allocated by a length that a peer claims. Knows nothing of
//! what is in messages.

mod frame;
mod greeting;
mod message;
mod pipe;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use sawlog_pipeline::DecodeError;

use self::frame::{Frame, Framing};
use self::greeting::{Greeting, Said};
pub use self::message::{Message, Messages};
pub(crate) use self::pipe::Pipe;

/// What a socket is for, as both sides tell each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Publishes to those who subscribe.
    Pub,
    /// Subscribes.
    Sub,
    /// Asks, and waits for the answer.
    Req,
    /// Answers.
    Rep,
    /// Takes what is pushed.
    Pull,
    /// Pushes.
    Push,
}

impl Role {
    /// As READY says it.
    fn name(self) -> &'static str {
        match self {
            Role::Pub => "PUB",
            Role::Sub => "SUB",
            Role::Req => "REQ",
            Role::Rep => "REP",
            Role::Pull => "PULL",
            Role::Push => "PUSH",
        }
    }

    /// As the greeting of ZMTP 2.0 says it.
    fn number(self) -> u8 {
        match self {
            Role::Pub => 1,
            Role::Sub => 2,
            Role::Req => 3,
            Role::Rep => 4,
            Role::Pull => 7,
            Role::Push => 8,
        }
    }

    /// The kinds of sockets that this one talks to, by name and by number.
    fn partners(self) -> &'static [(&'static str, u8)] {
        match self {
            Role::Pub => &[("SUB", 2), ("XSUB", 10)],
            Role::Sub => &[("PUB", 1), ("XPUB", 9)],
            Role::Req => &[("REP", 4), ("ROUTER", 6)],
            Role::Rep => &[("REQ", 3), ("DEALER", 5)],
            Role::Pull => &[("PUSH", 8)],
            Role::Push => &[("PULL", 7)],
        }
    }
}

/// Which protocol a peer speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// That of libzmq 2: frames without a handshake; a subscriber filters on its own side.
    V1,
    /// That of libzmq 3.
    V2,
    /// That of libzmq 4.
    V3,
}

/// What came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The handshake is over.
    Ready(Ready),
    /// A message.
    Message(Message),
    /// A prefix is subscribed to (`true`) or not any more.
    Subscribe(bool, Bytes),
}

/// What the peer said in the handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ready {
    /// What it speaks.
    pub version: Version,
    /// What else READY said, in order; ZMTP 3 only.
    pub properties: Vec<(String, Bytes)>,
}

impl Ready {
    /// A property; names are compared without case.
    pub fn property(&self, name: &str) -> Option<&Bytes> {
        self.properties.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Longest READY or other command of a peer, bytes; subscriptions are no longer either.
const COMMAND_MOST: usize = 8 << 10;

/// Most properties of a READY.
const PROPERTIES_MOST: usize = 32;

/// Where a session stands.
enum State {
    Greeting(Greeting),
    /// ZMTP 1 and 2: the first frame is the peer's identity.
    Identity(Version),
    /// ZMTP 3: the first frame is READY.
    Ready,
    Open,
}

/// One side of a connection, without the connection.
pub struct Session {
    role: Role,
    properties: &'static [(&'static str, &'static [u8])],
    state: State,
    framing: Framing,
    messages: Messages,
    longest: usize,
    /// Bytes that were read.
    at: u64,
    out: BytesMut,
}

fn wrong(reason: &'static str, what: impl Into<Cow<'static, str>>, at: u64) -> DecodeError {
    DecodeError { reason, what: what.into().into_owned(), at }
}

impl Session {
    /// A session that says `properties` in its READY beside its role. Messages are at most `longest` bytes, all frames together.
    pub fn new(role: Role, properties: &'static [(&'static str, &'static [u8])], longest: usize) -> Self {
        let mut out = BytesMut::new();
        out.extend_from_slice(&greeting::SIGNATURE);
        Session {
            role,
            properties,
            state: State::Greeting(Greeting::default()),
            framing: Framing::V3,
            messages: Messages::default(),
            longest,
            at: 0,
            out,
        }
    }

    /// What is to be written to the peer before anything else; empty where nothing is.
    pub fn take_output(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    /// Bytes of frames whose message is not whole yet.
    pub fn held(&self) -> usize {
        self.messages.held() + self.out.len()
    }

    /// Whether the peer is in the middle of the handshake, of a frame or of a message, with these bytes not read yet.
    pub fn is_inside(&self, buffer: &BytesMut) -> bool {
        !buffer.is_empty() || self.messages.held() > 0 || !matches!(self.state, State::Open)
    }

    /// Appends a message of these frames, as the peer reads them.
    pub fn write(&self, frames: &[&[u8]], out: &mut Vec<u8>) {
        for (index, frame) in frames.iter().enumerate() {
            self.framing.write(frame, index + 1 < frames.len(), out);
        }
    }

    /// Reads on in bytes of the peer; `None` where more are needed.
    ///
    /// # Errors
    /// [`DecodeError`]: the connection is to be closed.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Event>, DecodeError> {
        loop {
            let before = buffer.len();
            let event = self.step(buffer);
            self.at += (before - buffer.len()) as u64;
            match event? {
                Step::Event(event) => return Ok(Some(event)),
                Step::On => {}
                Step::More => return Ok(None),
            }
        }
    }

    fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, DecodeError> {
        if let State::Greeting(greeting) = &mut self.state {
            let said = greeting.read(buffer, self.role, &mut self.out);
            return match said.map_err(|what| wrong("greeting", what, self.at))? {
                Said::More => Ok(Step::More),
                Said::On => Ok(Step::On),
                Said::Version(version) => {
                    self.greeted(version);
                    Ok(Step::On)
                }
            };
        }
        // A message is bounded as a whole.
        let frame = self.framing.read(buffer, self.longest.saturating_sub(self.messages.held()));
        match frame.map_err(|(reason, what)| wrong(reason, what, self.at))? {
            None => Ok(Step::More),
            Some(frame) => self.frame(frame),
        }
    }

    fn greeted(&mut self, version: Version) {
        match version {
            Version::V1 => {
                // The signature was an identity already, to such a peer.
                self.framing = Framing::V1;
                self.state = State::Identity(version);
            }
            Version::V2 => {
                let mut identity = Vec::new();
                Framing::V3.write(b"", false, &mut identity);
                self.out.extend_from_slice(&identity);
                self.state = State::Identity(version);
            }
            Version::V3 => {
                self.out.extend_from_slice(&greeting::ready(self.role, self.properties));
                self.state = State::Ready;
            }
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<Step, DecodeError> {
        match self.state {
            State::Open if frame.command => self.command(&frame.body),
            State::Open => self.part(frame),
            State::Ready => {
                if !frame.command {
                    return Err(wrong("handshake", "a message before READY", self.at));
                }
                let properties = greeting::read_ready(&frame.body, self.role)
                    .map_err(|(reason, what)| wrong(reason, what, self.at))?;
                self.state = State::Open;
                Ok(Step::Event(Event::Ready(Ready { version: Version::V3, properties })))
            }
            State::Identity(version) => {
                if frame.more || frame.command {
                    return Err(wrong("handshake", "an identity of several frames", self.at));
                }
                self.state = State::Open;
                Ok(Step::Event(Event::Ready(Ready { version, properties: Vec::new() })))
            }
            State::Greeting(_) => Ok(Step::On),
        }
    }

    fn part(&mut self, frame: Frame) -> Result<Step, DecodeError> {
        let message = self.messages.add(frame.body, frame.more);
        let Some(message) = message else { return Ok(Step::On) };
        if self.role != Role::Pub {
            return Ok(Step::Event(Event::Message(message)));
        }
        // What a subscriber says is a byte and a prefix; anything else is for sockets that publishers here are not.
        match message.frames.as_slice() {
            [body] if body.len() <= COMMAND_MOST && matches!(body.first(), Some(0 | 1)) => {
                Ok(Step::Event(Event::Subscribe(body[0] == 1, body.slice(1..))))
            }
            _ => Err(wrong("subscription", "neither a subscription nor the end of one", self.at)),
        }
    }

    fn command(&mut self, body: &Bytes) -> Result<Step, DecodeError> {
        let read = greeting::name(body).filter(|_| body.len() <= COMMAND_MOST);
        let Some((name, rest)) = read else {
            return Err(wrong("handshake", "a command without a name, or too long a one", self.at));
        };
        match name {
            b"PING" => {
                // A time to live of two bytes, and a context of up to sixteen that the answer repeats.
                let context = rest.get(2..).unwrap_or_default();
                greeting::command(b"PONG", &context[..context.len().min(16)], &mut self.out);
                Ok(Step::On)
            }
            b"SUBSCRIBE" if self.role == Role::Pub => {
                Ok(Step::Event(Event::Subscribe(true, body.slice_ref(rest))))
            }
            b"CANCEL" if self.role == Role::Pub => {
                Ok(Step::Event(Event::Subscribe(false, body.slice_ref(rest))))
            }
            b"ERROR" => {
                let words = String::from_utf8_lossy(rest.get(1..).unwrap_or_default()).into_owned();
                Err(wrong("handshake", format!("the peer gave up: {words}"), self.at))
            }
            // Whatever later versions say beside messages can be left alone.
            _ => Ok(Step::On),
        }
    }
}

enum Step {
    Event(Event),
    On,
    More,
}
