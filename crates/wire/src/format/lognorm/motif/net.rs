//! Addresses, and what Cisco's devices write of interfaces.

use std::ops::Range;

use sawlog_model::Value;

use super::{entry, is_blank, text, text_value};

pub(super) fn ipv4(line: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    for part in 0..4 {
        if part > 0 {
            if line.get(end) != Some(&b'.') {
                return None;
            }
            end += 1;
        }
        let count = line[end..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        let value =
            line[end..end + count].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        if count == 0 || value > 255 {
            return None;
        }
        end += count;
    }
    Some(end)
}

pub(super) fn ipv6(line: &[u8], at: usize) -> Option<usize> {
    let byte = |at: usize| line.get(at).copied().unwrap_or(0);
    if !(byte(at).is_ascii_hexdigit() || (byte(at) == b':' && byte(at + 1) == b':')) || at + 2 > line.len() {
        return None;
    }
    let (mut end, mut blocks, mut shortened) = (at, 0, false);
    for _ in 0..9 {
        let begin = end;
        if end == line.len() {
            return None;
        }
        end += line[end..].iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
        blocks += 1;
        if end == line.len() || is_blank(byte(end)) {
            break;
        }
        if byte(end) == b'.' {
            // An IPv4 address stands at the end; not a lone one.
            if begin == at {
                return None;
            }
            blocks -= 1;
            end = ipv4(line, begin)?;
            break;
        }
        if byte(end) != b':' {
            return None;
        }
        end += 1;
        if end == line.len() {
            break;
        }
        if byte(end) == b':' {
            if shortened {
                return None;
            }
            shortened = true;
            end += 1;
            if end == line.len() {
                break;
            }
        }
    }
    let cut_off = line[end - 1] == b':' && line[end - 2] != b':';
    (blocks <= 8 && !(shortened && blocks >= 8) && !cut_off).then_some(end)
}

pub(super) fn mac48(line: &[u8], at: usize) -> Option<usize> {
    let text = line.get(at..at + 17)?;
    let between = text[2];
    let fits = |(index, byte): (usize, &u8)| {
        if index % 3 == 2 { *byte == between } else { byte.is_ascii_hexdigit() }
    };
    (matches!(between, b':' | b'-') && text.iter().enumerate().all(fits)).then_some(at + 17)
}

/// What stands in `[interface:]ip/port [(ip/port)][(user)]`.
#[derive(Default)]
struct Cisco {
    interface: Option<Range<usize>>,
    ip: Range<usize>,
    port: Range<usize>,
    second: Option<(Range<usize>, Range<usize>)>,
    user: Option<Range<usize>>,
    end: usize,
}

/// An address and a port.
fn endpoint(line: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let slash = ipv4(line, at)?;
    if line.get(slash) != Some(&b'/') {
        return None;
    }
    let end = text::number(line, slash + 1, 0)?;
    Some((at..slash, slash + 1..end))
}

fn read(line: &[u8], at: usize) -> Option<Cisco> {
    let first = *line.get(at)?;
    if first == b':' || is_blank(first) {
        return None;
    }
    let mut found = Cisco::default();
    let from = if ipv4(line, at).is_some() {
        at
    } else {
        let colon =
            line[at..].iter().position(|byte| *byte == b':' || is_blank(*byte)).map(|len| at + len)?;
        if line[colon] != b':' {
            return None;
        }
        found.interface = Some(at..colon);
        colon + 1
    };
    (found.ip, found.port) = endpoint(line, from)?;
    found.end = found.port.end;
    if line[found.end..].starts_with(b" (")
        && let Some((ip, port)) = endpoint(line, found.end + 2)
        && line.get(port.end) == Some(&b')')
    {
        found.end = port.end + 1;
        found.second = Some((ip, port));
    }
    let open = found.end + usize::from(line.get(found.end) == Some(&b' '));
    let user = open + 1;
    if line.get(open) == Some(&b'(') && line.get(user).is_some_and(|byte| !is_blank(*byte)) {
        let len = line[user..].iter().position(|byte| *byte == b')' || is_blank(*byte));
        if let Some(close) = len.map(|len| user + len).filter(|close| line[*close] == b')') {
            found.user = Some(user..close);
            found.end = close + 1;
        }
    }
    Some(found)
}

pub(super) fn cisco(line: &[u8], at: usize) -> Option<usize> {
    read(line, at).map(|found| found.end)
}

/// Version 1 has the text alone where nothing optional stands before the end of the line.
pub(super) fn cisco_value_v1(line: &[u8], range: Range<usize>) -> Value {
    let found = read(line, range.start).filter(|found| found.second.is_none() && found.user.is_none());
    if found.is_some() && range.end == line.len() {
        return text_value(line, range);
    }
    cisco_value(line, range)
}

pub(super) fn cisco_value(line: &[u8], range: Range<usize>) -> Value {
    let Some(found) = read(line, range.start) else { return Value::Nil };
    let mut entries = Vec::new();
    let mut put = |name: &str, range: Range<usize>| entries.push(entry(name, line, range));
    if let Some(interface) = found.interface {
        put("interface", interface);
    }
    put("ip", found.ip);
    put("port", found.port);
    if let Some((ip, port)) = found.second {
        put("ip2", ip);
        put("port2", port);
    }
    if let Some(user) = found.user {
        put("user", user);
    }
    Value::Map(entries)
}
