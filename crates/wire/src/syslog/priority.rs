//! The priority in front of a message, and the names of what it says. Knows nothing of what follows it.

/// Facilities by number, as Fluentd names them (and, but for 12 to 15, everybody).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "at", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Severities by number.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

/// Facility and severity in one number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Priority(pub u8);

impl Priority {
    /// What RFC 3164 has a relay put in where none stands: `user.notice`.
    pub const NONE: Priority = Priority(13);

    /// The priority at the start of a message, `<N>`; `None` where there is none, or one that no facility has.
    pub fn read(text: &[u8]) -> Option<Self> {
        let end = text.iter().take(5).position(|byte| *byte == b'>')?;
        let digits = text.get(1..end).filter(|digits| text[0] == b'<' && !digits.is_empty())?;
        let number = std::str::from_utf8(digits).ok()?.parse::<u8>().ok()?;
        (digits[0] != b'+' && usize::from(number) < FACILITIES.len() * 8).then_some(Priority(number))
    }

    /// `kern`, `user`, …
    pub fn facility(self) -> &'static str {
        FACILITIES.get(usize::from(self.0 >> 3)).copied().unwrap_or("unknown")
    }

    /// `emerg`, `alert`, …
    pub fn severity(self) -> &'static str {
        SEVERITIES[usize::from(self.0 & 7)]
    }
}
