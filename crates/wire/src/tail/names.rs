//! What names say: which two belong to one rotation, and which are of a compressed file. Knows nothing of files.

/// Suffixes of compressed files.
const PACKED: [&str; 6] = [".gz", ".zst", ".bz2", ".xz", ".lzma", ".zstd"];

/// Whether the name is that of a compressed file.
pub(crate) fn is_packed(name: &str) -> bool {
    PACKED.iter().any(|suffix| name.ends_with(suffix))
}

/// The name without what compression added.
fn unpacked(name: &str) -> &str {
    let mut stem = name;
    while let Some(suffix) = PACKED.iter().find(|suffix| stem.ends_with(**suffix)) {
        stem = &stem[..stem.len() - suffix.len()];
    }
    stem
}

/// The name that a file had before any rotation, as far as its name tells: `app.log` for `app.log.3`, `app.log.3.gz`,
/// `app.log-20260101`, `app-20260101.log`, `app.1.log`. Two files are of one rotation where these are the same.
pub(crate) fn family(name: &str) -> String {
    let stem = unpacked(name);
    if let Some((rest, _)) = strip_number(stem) {
        return rest.to_owned();
    }
    if let Some((front, extension)) = stem.rsplit_once('.')
        && let Some((rest, _)) = strip_number(front)
    {
        return format!("{rest}.{extension}");
    }
    stem.to_owned()
}

/// Whether the name says beyond doubt that rotation gave it: a number before the extension (`app.2.log`) may as well tell
/// two programs apart.
pub(crate) fn is_rotation(name: &str) -> bool {
    let stem = unpacked(name);
    let infix = stem.rsplit_once('.').and_then(|(front, _)| strip_number(front));
    strip_number(stem).is_some() || infix.is_some_and(|(_, digits)| digits >= DATE) || stem != name
}

/// Digits of a date.
const DATE: usize = 6;

/// Without a number or date of a rotation at the end (`.3`, `-20260101`, `.2026-01-01`, `-20260101-1030`, `_20260101`), and
/// how many digits that had.
fn strip_number(name: &str) -> Option<(&str, usize)> {
    let mut rest = name;
    let (mut digits, mut only_dots) = (0, true);
    // Groups of digits with their separators, from the end as long as they look like parts of a date or a number.
    for _ in 0..6 {
        let without = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        let taken = rest.len() - without.len();
        if taken == 0 || taken > 14 || !without.ends_with(['.', '-', '_', 'T']) {
            break;
        }
        digits += taken;
        only_dots &= without.ends_with('.');
        rest = &without[..without.len() - 1];
    }
    // A short number after a dash is part of a name more often than of a rotation.
    (digits > 0 && (only_dots || digits >= DATE) && !rest.is_empty()).then_some((rest, digits))
}
