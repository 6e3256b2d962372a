//! Pages of our own program that are resident since the start needed them: given back, those that are needed again come from the
//! system's cache of files. Knows nothing of what the program does.
#![expect(unsafe_code, reason = "nothing safe tells the system of pages")]

use std::ffi::c_void;
use std::path::Path;

use crate::{Open, Sys};

/// Longest list of mappings that is read, bytes.
const LIST: usize = 1 << 20;

/// A mapping of a file that can only be read, none of whose pages is a copy of our own.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    end: usize,
}

/// Gives back the pages of the program and its libraries that are as they stand in their files: the code that a start runs through
/// is most of what an idle process has resident.
pub fn give_back(sys: &Sys) {
    let Ok(file) = sys.fs.open(Path::new("/proc/self/smaps"), Open::Read) else { return };
    let (mut list, mut len) = (vec![0; LIST], 0);
    // Such a file gives its content in pieces.
    while let Ok(read) = file.read_at(&mut list[len..], len as u64)
        && read > 0
    {
        len += read;
    }
    for mapping in clean(&String::from_utf8_lossy(&list[..len])) {
        // SAFETY: a page that is mapped from a file, cannot be written and was not copied has the same bytes when it is read again.
        // Where the system refuses, it stays.
        let _ = unsafe {
            libc::madvise(mapping.start as *mut c_void, mapping.end - mapping.start, libc::MADV_DONTNEED)
        };
    }
}

/// Such mappings in a list as `/proc/PID/smaps` has it.
fn clean(list: &str) -> Vec<Mapping> {
    let mut found = Vec::new();
    let mut open = None;
    for line in list.lines() {
        if let Some(mapping) = head(line) {
            open = mapping;
        } else if let Some(kilobytes) = line.strip_prefix("Anonymous:")
            && kilobytes.trim() == "0 kB"
        {
            found.extend(open.take());
        }
    }
    found
}

/// The head of an entry: `START-END rights offset device inode PATH`. The inner `None` where it is not of a file, or can be written.
fn head(line: &str) -> Option<Option<Mapping>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let rights = words.next()?;
    let path = words.nth(3).unwrap_or_default();
    Some((rights.starts_with("r-") && path.starts_with('/')).then_some(Mapping { start, end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_in_its_file_is_given_back() {
        let list = "\
00200000-00270000 r--p 00000000 08:01 7 /usr/bin/x\nSize: 448 kB\nAnonymous:             0 kB\nVmFlags: rd\n\
00270000-00290000 r-xp 00070000 08:01 7 /usr/bin/x\nAnonymous:             0 kB\n\
00290000-002a0000 r--p 00090000 08:01 7 /usr/bin/x\nAnonymous:             8 kB\n\
002a0000-002b0000 rw-p 000a0000 08:01 7 /usr/bin/x\nAnonymous:             0 kB\n\
7f0000000000-7f0000001000 r-xp 00000000 00:00 0 [vdso]\nAnonymous:             0 kB\n\
7f0000002000-7f0000003000 r--p 00000000 00:00 0\nAnonymous:             0 kB\n";
        let mapping = |start, end| Mapping { start, end };
        assert_eq!(clean(list), [mapping(0x20_0000, 0x27_0000), mapping(0x27_0000, 0x29_0000)]);
    }

    #[test]
    fn a_process_goes_on_with_fewer_pages() {
        let resident = || {
            let file = Sys::real().fs.open(Path::new("/proc/self/statm"), Open::Read).expect("it is there");
            let mut text = [0; 200];
            let len = file.read_at(&mut text, 0).expect("it can be read");
            let text = String::from_utf8_lossy(&text[..len]).into_owned();
            text.split(' ').nth(2).expect("shared pages").parse::<u64>().expect("a number")
        };
        let before = resident();
        give_back(&Sys::real());
        let after = resident();
        assert!(after < before, "{before} pages of files, then {after}");
    }
}
