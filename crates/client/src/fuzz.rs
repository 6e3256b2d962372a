//! What must hold for any bytes at all: `fuzz/` feeds it what a fuzzer finds, the tests what a few seconds of chance do.

use crate::answer::{ANSWER_MOST, Answer, Unread};

/// What a receiver says is read or refused, takes no more than there is, and nothing less of it is an answer.
pub fn answer(bytes: &[u8]) {
    if let Ok((_, length)) = Answer::read(bytes) {
        assert!(length > 0 && length <= bytes.len());
        if length <= ANSWER_MOST {
            assert_eq!(Answer::read(&bytes[..length - 1]), Err(Unread::Short));
        }
    }
}
