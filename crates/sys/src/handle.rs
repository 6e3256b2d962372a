//! Tells an inode from an earlier one of the same number, which file systems hand out again at once. The only place
//! with foreign calls; knows nothing of paths.
#![expect(unsafe_code, reason = "neither the standard library nor rustix has name_to_handle_at")]

use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the kernel allows a handle to have at most, bytes.
const HANDLE_BYTES: usize = libc::MAX_HANDLE_SZ as usize;

/// The kernel's `struct file_handle` with room for its last, variable part.
#[repr(C)]
struct Handle {
    bytes: libc::c_uint,
    kind: libc::c_int,
    handle: [u8; HANDLE_BYTES],
}

const _: () = assert!(offset_of!(Handle, handle) == size_of::<libc::file_handle>());

/// A number that stands for the file handle (file system's type of handle, inode, inode generation): the same as long
/// as the inode lives, another one when its number is given out again. 0 where the file system has no handles.
pub(crate) fn generation(file: BorrowedFd<'_>) -> u64 {
    let mut handle = Handle { bytes: HANDLE_BYTES as libc::c_uint, kind: 0, handle: [0; HANDLE_BYTES] };
    let mut mount = 0;
    // SAFETY: the descriptor is open for the length of the call, the path is an empty C string, and `handle` has the
    // kernel's layout with as much room after its two numbers as its first number says.
    let failed = unsafe {
        libc::name_to_handle_at(
            file.as_raw_fd(),
            c"".as_ptr(),
            (&raw mut handle).cast(),
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    if failed != 0 {
        return 0;
    }
    let kind = handle.kind.to_le_bytes();
    let bytes = handle.handle.iter().take(handle.bytes as usize);
    fnv(kind.iter().chain(bytes)).max(1)
}

/// FNV-1a: the number is stored, so its function stays for ever; it meets no adversary.
fn fnv<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
