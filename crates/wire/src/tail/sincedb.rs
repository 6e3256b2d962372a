//! Beaver's sincedb: how many lines it had read of each file, in a table of an SQLite 3 database. As much of that format is
//! read here as one table takes; a library for all of it would outweigh what reads it once, at a move. Knows nothing of
//! files that are followed.

/// What a database begins with.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// Bytes of the header in front of the first page's own.
const HEADER: usize = 100;
/// Most rows that are read.
const ROWS_MOST: usize = 100_000;
/// Longest row; a path and two numbers are shorter.
const ROW_MOST: usize = 64 << 10;

/// How far a file was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Read {
    pub inode: u64,
    pub path: String,
    pub lines: u64,
}

/// The rows of the table `sincedb`; those that are none of Beaver's are passed over. `None` where there is no such table.
pub(super) fn read(database: &[u8]) -> Option<Vec<Read>> {
    let pages = Pages::of(database)?;
    let mut root = None;
    pages.each_row(1, &mut |row| {
        if row.text(0) == Some("table") && row.text(1) == Some("sincedb") {
            root = row.number(3);
        }
    });
    let mut found = Vec::new();
    pages.each_row(root?, &mut |row| {
        // The file's id is `%xg%x` of its device and its inode.
        let inode = row.text(0).and_then(|id| u64::from_str_radix(id.split_once('g')?.1, 16).ok());
        if let (Some(inode), Some(path), Some(lines)) = (inode, row.text(1), row.number(2)) {
            found.push(Read { inode, path: path.to_owned(), lines });
        }
    });
    Some(found)
}

struct Pages<'a> {
    bytes: &'a [u8],
    size: usize,
    /// Bytes of each page that are the format's own.
    usable: usize,
}

impl<'a> Pages<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER).filter(|header| header.starts_with(MAGIC))?;
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return None,
        };
        // Text in UTF-16 would be another matter; Python makes none.
        let utf8 = header[56..60] == [0, 0, 0, 1];
        utf8.then(|| Pages { bytes, size, usable: size - usize::from(header[20]) })
    }

    fn page(&self, number: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(number.checked_sub(1)?).ok()?.checked_mul(self.size)?;
        self.bytes.get(start..)?.get(..self.usable)
    }

    /// Calls `visit` with the rows of the table whose tree begins at this page, as far as they can be read.
    fn each_row(&self, root: u64, visit: &mut dyn FnMut(&Row)) {
        let (mut waiting, mut rows) = (vec![root], 0);
        // Each page is in a tree once: more steps than there are pages lead in a circle.
        for _ in 0..self.bytes.len() / self.size {
            let Some(number) = waiting.pop() else { return };
            let Some(page) = self.page(number) else { continue };
            let start = if number == 1 { HEADER } else { 0 };
            match page[start] {
                5 => waiting.extend(children(page, start).unwrap_or_default()),
                13 => {
                    for cell in cells(page, start, 8) {
                        rows += 1;
                        if rows > ROWS_MOST {
                            return;
                        }
                        if let Some(row) = self.payload(page, cell).and_then(Row::of) {
                            visit(&row);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The bytes of a row, with what of them stands on pages of its own.
    fn payload(&self, page: &[u8], cell: usize) -> Option<Vec<u8>> {
        let mut at = cell;
        let len = usize::try_from(varint(page, &mut at)?).ok().filter(|len| *len <= ROW_MOST)?;
        varint(page, &mut at)?;
        let (most, least) = (self.usable - 35, (self.usable - 12) * 32 / 255 - 23);
        if len <= most {
            return Some(page.get(at..at + len)?.to_vec());
        }
        let here = least + (len - least) % (self.usable - 4);
        let here = if here <= most { here } else { least };
        let mut bytes = page.get(at..at + here)?.to_vec();
        let mut next = u64::from(u32_at(page, at + here)?);
        while bytes.len() < len {
            let page = self.page(next)?;
            next = u64::from(u32_at(page, 0)?);
            bytes.extend_from_slice(&page[4..][..(len - bytes.len()).min(self.usable - 4)]);
        }
        Some(bytes)
    }
}

/// The pages below an inner one, the last of them first.
fn children(page: &[u8], start: usize) -> Option<Vec<u64>> {
    let right = u32_at(page, start + 8)?;
    let mut pages: Vec<u64> =
        cells(page, start, 12).filter_map(|cell| u32_at(page, cell)).map(u64::from).collect();
    pages.push(u64::from(right));
    pages.reverse();
    Some(pages)
}

/// Where the cells of a page begin.
fn cells(page: &[u8], start: usize, head: usize) -> impl Iterator<Item = usize> {
    let count = u16_at(page, start + 3).unwrap_or(0);
    (0..count).map_while(move |index| u16_at(page, start + head + 2 * index))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let pair = bytes.get(at..at + 2)?;
    Some(usize::from(pair[0]) << 8 | usize::from(pair[1]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// A number in groups of seven bits, high ones first; a ninth byte counts whole.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for index in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if index == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

struct Row {
    bytes: Vec<u8>,
    /// Of each column its type and where it begins.
    columns: Vec<(u64, usize)>,
}

impl Row {
    fn of(bytes: Vec<u8>) -> Option<Row> {
        let (mut at, mut columns) = (0, Vec::new());
        let head = usize::try_from(varint(&bytes, &mut at)?).ok()?;
        let mut body = head;
        while at < head {
            let kind = varint(&bytes, &mut at)?;
            columns.push((kind, body));
            body = body.checked_add(len_of(kind)?)?;
        }
        (body <= bytes.len()).then_some(Row { bytes, columns })
    }

    fn column(&self, index: usize) -> Option<(u64, &[u8])> {
        let (kind, at) = *self.columns.get(index)?;
        Some((kind, self.bytes.get(at..at + len_of(kind)?)?))
    }

    fn text(&self, index: usize) -> Option<&str> {
        let (kind, bytes) = self.column(index)?;
        if kind >= 13 && kind % 2 == 1 { std::str::from_utf8(bytes).ok() } else { None }
    }

    /// A whole number that is not negative.
    fn number(&self, index: usize) -> Option<u64> {
        match self.column(index)? {
            (1..=6, bytes) if bytes[0] < 0x80 => {
                Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            (8, _) => Some(0),
            (9, _) => Some(1),
            _ => None,
        }
    }
}

/// How many bytes a value of this type takes.
fn len_of(kind: u64) -> Option<usize> {
    match kind {
        0 | 8 | 9 => Some(0),
        1..=4 => Some(kind as usize),
        5 => Some(6),
        6 | 7 => Some(8),
        12.. => usize::try_from((kind - 12) / 2).ok(),
        _ => None,
    }
}
