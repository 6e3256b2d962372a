//! One page of a list of objects: the few elements of its XML that matter, read strictly. Knows nothing of requests.

/// Most elements inside one another.
const DEPTH_MOST: usize = 16;

/// A page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Names of objects, and the bytes of each.
    pub objects: Vec<(String, u64)>,
    /// What the next page is asked for by; `None` where this is the last.
    pub next: Option<String>,
}

/// Reads a page.
///
/// # Errors
/// In words, where it is no `ListBucketResult` from its first byte to its last.
pub(crate) fn page(text: &[u8]) -> Result<Page, String> {
    let text = std::str::from_utf8(text).map_err(|_| "the list is no text")?;
    let (mut page, mut truncated, mut seen) = (Page::default(), false, false);
    let (mut key, mut size) = (None, None);
    walk(text, |path, text| {
        let Some(("ListBucketResult", inside)) = path.split_first().map(|(first, rest)| (*first, rest))
        else {
            return Err("it is no list of objects".to_owned());
        };
        match inside {
            [] => seen = true,
            ["IsTruncated"] => truncated = text.trim() == "true",
            ["NextContinuationToken"] => page.next = Some(text),
            ["Contents", "Key"] => key = Some(text),
            ["Contents", "Size"] => {
                size = Some(text.trim().parse().map_err(|_| format!("`{text}` is no size of an object"))?);
            }
            ["Contents"] => match (key.take(), size.take()) {
                (Some(key), Some(size)) => page.objects.push((key, size)),
                _ => return Err("an object of the list has no name or no size".to_owned()),
            },
            _ => {}
        }
        Ok(())
    })?;
    match (seen, truncated, &page.next) {
        (false, ..) => Err("the list is empty".to_owned()),
        (_, true, None) => Err("the list goes on, but does not say where".to_owned()),
        (_, true, Some(_)) => Ok(page),
        (_, false, _) => Ok(Page { next: None, ..page }),
    }
}

/// Tells the end of each element: the names from the outermost to its own, and its text.
fn walk(mut rest: &str, mut ended: impl FnMut(&[&str], String) -> Result<(), String>) -> Result<(), String> {
    let (mut path, mut texts): (Vec<&str>, Vec<String>) = Default::default();
    let cut = || "the list ends in the middle".to_owned();
    let until = |text: &'_ str, end: &str| text.find(end).ok_or_else(cut);
    rest = rest.strip_prefix('\u{feff}').unwrap_or(rest);
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            match texts.last_mut() {
                Some(text) => decode(&rest[..end], text)?,
                None if rest[..end].trim().is_empty() => {}
                None => return Err("there is text outside of the list".to_owned()),
            }
            rest = &rest[end..];
            continue;
        };
        if let Some(inside) = tag.strip_prefix("![CDATA[") {
            let end = until(inside, "]]>")?;
            texts.last_mut().ok_or("there is text outside of the list")?.push_str(&inside[..end]);
            rest = &inside[end + 3..];
        } else if let Some(inside) = tag.strip_prefix("!--") {
            rest = &inside[until(inside, "-->")? + 3..];
        } else if let Some(inside) = tag.strip_prefix('?') {
            rest = &inside[until(inside, "?>")? + 2..];
        } else if tag.starts_with('!') {
            return Err("the list declares what lists have not".to_owned());
        } else {
            let end = end_of_tag(tag).ok_or_else(cut)?;
            rest = &tag[end + 1..];
            let inside = &tag[..end];
            let closing = inside.strip_prefix('/');
            let (inside, single) = match inside.strip_suffix('/') {
                Some(inside) if closing.is_none() => (inside, true),
                _ => (inside, false),
            };
            if closing.is_none() {
                let name = inside.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
                if name.is_empty() || path.len() == DEPTH_MOST {
                    return Err("the list is no XML of its kind".to_owned());
                }
                path.push(name);
                texts.push(String::new());
            }
            if closing.is_some() || single {
                let text = texts.pop().unwrap_or_default();
                if closing.is_some_and(|name| path.last() != Some(&name.trim_end())) {
                    return Err("elements of the list do not end as they begin".to_owned());
                }
                ended(&path, text)?;
                path.pop();
            }
        }
    }
    if path.is_empty() { Ok(()) } else { Err(cut()) }
}

/// Where a tag ends: at the first `>` outside of quotes.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if byte == open => quote = None,
            _ => {}
        }
    }
    None
}

/// Adds text with its references replaced.
fn decode(mut text: &str, out: &mut String) -> Result<(), String> {
    while let Some(at) = text.find('&') {
        out.push_str(&text[..at]);
        let inside = &text[at + 1..];
        let wrong = || format!("`{}` stands for nothing", inside.chars().take(12).collect::<String>());
        let (name, rest) = inside.split_once(';').ok_or_else(wrong)?;
        out.push(reference(name).ok_or_else(wrong)?);
        text = rest;
    }
    out.push_str(text);
    Ok(())
}

fn reference(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let (digits, base) = match number.strip_prefix('x') {
                Some(digits) => (digits, 16),
                None => (number, 10),
            };
            let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            return char::from_u32(u32::from_str_radix(digits, base).ok().filter(|_| plain)?);
        }
    })
}
