//! Objects as files: lists of them, their sizes, uploads and downloads of any length in little memory. Knows nothing of their
//! names.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use hyper::header::{ETAG, HeaderMap};
use hyper::{Method, StatusCode};
use sha2::{Digest, Sha256};

use super::bucket::{ANSWER_MOST, Bucket, path, set};
use super::listing;
use super::sign;
use crate::shared::http_client::{Reading, percent};

/// Most bytes of an object that is put at once, as S3 has it.
const OBJECT_MOST: u64 = 5 << 30;
/// Most objects that are listed.
const OBJECTS_MOST: usize = 1 << 20;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

impl Bucket {
    /// All objects whose names begin so, and the bytes of each.
    ///
    /// # Errors
    /// In words.
    pub fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, String> {
        let (mut objects, mut from): (Vec<_>, Option<String>) = Default::default();
        loop {
            let token = from.as_ref().map(|token| format!("continuation-token={}&", percent(token)));
            let query = format!("{}list-type=2&prefix={}", token.unwrap_or_default(), percent(prefix));
            let answer = self.ask(Method::GET, "/", &query, HeaderMap::new())?;
            if !answer.status.is_success() {
                return Err(format!("{}: {} {}", self.shown(""), answer.status, answer.words()));
            }
            let page = listing::page(&answer.body).map_err(|why| format!("{}: {why}", self.shown("")))?;
            objects.extend(page.objects);
            if objects.len() > OBJECTS_MOST || (page.next.is_some() && page.next == from) {
                return Err(format!("{}: the list of `{prefix}` has no end", self.shown("")));
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(objects),
            }
        }
    }

    /// Bytes of an object; `None` where there is none.
    ///
    /// # Errors
    /// In words.
    pub fn size(&self, name: &str) -> Result<Option<u64>, String> {
        let answer = self.ask(Method::HEAD, &path(name), "", HeaderMap::new())?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let len = answer.headers.get(hyper::header::CONTENT_LENGTH);
                let len = len.and_then(|len| len.to_str().ok()?.parse().ok());
                Ok(Some(len.ok_or_else(|| format!("{}: its size is not told", self.shown(name)))?))
            }
            status => Err(format!("{}: {status}", self.shown(name))),
        }
    }

    /// Puts an object, also in the place of another, of what is read after `open`: twice, first for its sum.
    ///
    /// # Errors
    /// In words; what was there before is there still.
    pub fn upload(
        &self,
        name: &str,
        open: impl Fn() -> io::Result<Box<dyn Read + Send>>,
    ) -> Result<(), String> {
        let (len, sum) = open().and_then(summed).map_err(|error| error.to_string())?;
        if len > OBJECT_MOST {
            return Err(format!(
                "it has {len} bytes, and an object that is put at once at most {OBJECT_MOST}"
            ));
        }
        let from = open().map_err(|error| error.to_string())?;
        let answer = self.send(&path(name), &sum, Reading::new(from, len))?;
        match answer.status {
            status if status.is_success() => Ok(()),
            status => Err(format!("{}: {status} {}", self.shown(name), answer.words())),
        }
    }

    /// Reads an object of so many bytes.
    pub fn object(&self, name: &str, len: u64) -> Object<'_> {
        Object { bucket: self, name: name.to_owned(), at: 0, len, tag: None, piece: Bytes::new() }
    }
}

/// The length of what can be read, and its sum.
fn summed(mut from: impl Read) -> io::Result<(u64, String)> {
    let (mut piece, mut len, mut sum) = (vec![0; PIECE], 0, Sha256::new());
    loop {
        match from.read(&mut piece)? {
            0 => return Ok((len, sign::hex(&sum.finalize()))),
            count => {
                len += count as u64;
                sum.update(&piece[..count]);
            }
        }
    }
}

/// An object that is read, in pieces that are asked for one after the other.
pub(crate) struct Object<'a> {
    bucket: &'a Bucket,
    name: String,
    at: u64,
    len: u64,
    /// What the server says of the first piece, so that others are of the same object.
    tag: Option<Vec<u8>>,
    piece: Bytes,
}

impl Object<'_> {
    fn next(&mut self) -> Result<Bytes, String> {
        let count = (self.len - self.at).min(ANSWER_MOST as u64);
        let mut headers = HeaderMap::new();
        set(&mut headers, "range", &format!("bytes={}-{}", self.at, self.at + count - 1))?;
        let shown = self.bucket.shown(&self.name);
        let answer = self.bucket.ask(Method::GET, &path(&self.name), "", headers)?;
        if !answer.status.is_success() {
            return Err(format!("{shown}: {} {}", answer.status, answer.words()));
        }
        let is_asked_for = answer.status == StatusCode::PARTIAL_CONTENT || count == self.len;
        if !is_asked_for || answer.body.len() as u64 != count {
            return Err(format!("{shown}: the server gives other bytes than those asked for"));
        }
        let tag = answer.headers.get(ETAG).map(|tag| tag.as_bytes().to_vec());
        if self.at > 0 && tag != self.tag {
            return Err(format!("{shown}: it was replaced while it was read"));
        }
        self.tag = tag;
        self.at += count;
        Ok(answer.body)
    }
}

impl Read for Object<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.at < self.len {
            self.piece = self.next().map_err(io::Error::other)?;
        }
        let count = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
