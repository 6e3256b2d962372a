//! Credentials in structured data, as Meniscus's senders show them: `[meniscus tenant="ID" token="TOKEN"]`, also with an
//! enterprise number behind `meniscus`, which util-linux asks for. They are taken out of the message before it is read, so that
//! no token is stored. Knows nothing of who is let in.

/// What a message showed, and the message without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Name of the tenant.
    pub tenant: String,
    pub token: String,
    /// The message as it is stored.
    pub rest: Vec<u8>,
}

/// What every such element begins with.
const MARK: &[u8] = b"[meniscus";

/// Looks for the element; `None` where there is none, or the message is not of RFC 5424.
pub(super) fn take(message: &[u8]) -> Option<Shown> {
    memchr::memmem::find(message, MARK)?;
    let data = structured_data(message)?;
    let (mut at, mut others) = (data, false);
    let mut found = None;
    while message.get(at) == Some(&b'[') {
        let end = element_end(message, at)?;
        match parameters(&message[at + 1..end - 1]) {
            Some(credentials) if found.is_none() => found = Some((credentials, at, end)),
            _ => others = true,
        }
        at = end;
    }
    let ((tenant, token), start, end) = found?;
    let mut rest = Vec::with_capacity(message.len());
    rest.extend_from_slice(&message[..start]);
    if !others {
        rest.push(b'-');
    }
    rest.extend_from_slice(&message[end..]);
    Some(Shown { tenant, token, rest })
}

/// Where the structured data begin: behind `<PRI>VERSION TIME HOST APP PROCID MSGID `.
fn structured_data(message: &[u8]) -> Option<usize> {
    let version = message.iter().take(8).position(|byte| *byte == b'>')? + 1;
    if !message.starts_with(b"<") || !message.get(version)?.is_ascii_digit() {
        return None;
    }
    let spaces = message.iter().enumerate().skip(version).filter(|(_, byte)| **byte == b' ');
    spaces.map(|(at, _)| at + 1).nth(5)
}

/// One behind the bracket that closes the element at `start`.
fn element_end(message: &[u8], start: usize) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in message.iter().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Tenant and token of an element between its brackets, where it is one of ours; either may be missing, and is then empty.
fn parameters(element: &[u8]) -> Option<(String, String)> {
    let name = element.split(|byte| *byte == b' ').next()?;
    let number = name.strip_prefix(&MARK[1..])?;
    let is_ours = number.is_empty()
        || number.strip_prefix(b"@").is_some_and(|digits| {
            !digits.is_empty() && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        });
    if !is_ours {
        return None;
    }
    let (mut tenant, mut token) = (String::new(), String::new());
    let mut rest = &element[name.len()..];
    while let Some(equals) = memchr::memmem::find(rest, b"=\"") {
        let key = rest[..equals].trim_ascii_start();
        let (value, behind) = value(&rest[equals + 2..])?;
        match key {
            b"tenant" => tenant = value,
            b"token" => token = value,
            _ => {}
        }
        rest = behind;
    }
    Some((tenant, token))
}

/// The value up to its closing quote, without escapes, and what is behind it.
fn value(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (mut value, mut escaped) = (Vec::new(), false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if !escaped => return Some((String::from_utf8(value).ok()?, &bytes[at + 1..])),
            b'\\' if !escaped => escaped = true,
            byte => {
                if escaped && !matches!(byte, b'"' | b'\\' | b']') {
                    value.push(b'\\');
                }
                value.push(*byte);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str) -> Option<(String, String, String)> {
        let Shown { tenant, token, rest } = take(message.as_bytes())?;
        Some((tenant, token, String::from_utf8(rest).expect("text")))
    }

    #[test]
    fn the_element_is_taken_out() {
        let head = "<13>1 2026-11-20T23:51:34.663632+00:00 vm myapp 4242 ID47 ";
        for (given, tenant, token, left) in [
            ("[meniscus tenant=\"1022\" token=\"tok\"]  hi\n", "1022", "tok", "-  hi\n"),
            ("[a x=\"]\"][meniscus@1 tenant=\"1022\" token=\"tok\"] hi", "1022", "tok", "[a x=\"]\"] hi"),
            (
                "[meniscus@32473.1 token=\"t\\\"\\\\\\]\\n\" tenant=\"a b\"][b] hi",
                "a b",
                "t\"\\]\\n",
                "[b] hi",
            ),
            ("[meniscus]", "", "", "-"),
        ] {
            let got = shown(&format!("{head}{given}")).unwrap_or_else(|| panic!("{given}"));
            assert_eq!(got, (tenant.to_owned(), token.to_owned(), format!("{head}{left}")));
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for message in [
            "<13>Nov 20 23:51:31 vm a: [meniscus tenant=\"1\" token=\"2\"] hi",
            "<13>1 - vm a - - - [meniscus tenant=\"1\" token=\"2\"] hi",
            "<13>1 - vm a - - [meniscusx tenant=\"1\" token=\"2\"] hi",
            "<13>1 - vm a - - [meniscus@ tenant=\"1\" token=\"2\"] hi",
            "<13>1 - vm a - - [meniscus tenant=\"1\" token=\"2",
            "<13>1 - vm [meniscus tenant=\"1\"]",
            "[meniscus tenant=\"1\"]",
            "<13>1",
        ] {
            assert_eq!(take(message.as_bytes()), None, "{message}");
        }
    }
}
