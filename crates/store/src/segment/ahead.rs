//! Texts that lie anywhere in memory, brought into the cache of the processor some time before they are looked at. Knows nothing of what
//! they mean.

/// Texts that are fetched at once, and of each so many bytes.
pub(super) const AHEAD: usize = 32;
const LONGEST_AHEAD: usize = 1024;

/// Has the texts brought into the cache of the processor, many at once: what waits in memory is mostly in none, and one after the
/// other each would be waited for.
pub(super) fn fetch<'a>(texts: impl Iterator<Item = &'a [u8]>) {
    let lines = texts.flat_map(|text| text.iter().take(LONGEST_AHEAD).step_by(64));
    std::hint::black_box(lines.fold(0u8, |all, byte| all ^ byte));
}

/// The values of a column, each fetched some time before it comes.
pub(super) fn fetched<'a>(values: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    values.chunks(AHEAD).flat_map(|some| {
        fetch(some.iter().copied());
        some.iter().copied()
    })
}
