//! Whole chunks to objects, each to exactly one: an object says which chunk it is, so that one that was put before a crash is
//! known again. Knows nothing of how chunks are made.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hyper::header::HeaderMap;
use sawlog_pipeline::{Env, Options};
use sawlog_sys::Sys;
use xxhash_rust::xxh3::xxh3_64;

use super::name::Name;
use crate::shared::chunks::{Sink, Whole, pack::Pack};
use crate::shared::http_client::header;
use crate::shared::placeholders::{Key, Keys};
use crate::shared::s3::{Bucket, CHUNK, Put, set};

/// Most numbers that are looked at for one chunk.
const NUMBERS_MOST: u64 = 1 << 20;

/// The sink.
pub(super) struct S3Sink {
    bucket: Bucket,
    name: Name,
    pack: Pack,
    headers: HeaderMap,
    check_object: bool,
    overwrite: bool,
    check_bucket: bool,
    make_bucket: bool,
    prepared: AtomicBool,
    /// The template of the last object and the number after it.
    last: Mutex<(String, u64)>,
    owner: String,
    sys: Sys,
}

fn headers(options: &Options, content_type: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    set(&mut headers, "content-type", content_type)?;
    for (option, name) in [
        ("acl", "x-amz-acl"),
        ("storage_class", "x-amz-storage-class"),
        ("use_server_side_encryption", "x-amz-server-side-encryption"),
        ("ssekms_key_id", "x-amz-server-side-encryption-aws-kms-key-id"),
    ] {
        match options.text(option) {
            "" => {}
            value => set(&mut headers, name, value)?,
        }
    }
    for text in options.list("s3_metadata") {
        let (name, value) = header(text).map_err(|message| format!("`s3_metadata`: {message}"))?;
        set(&mut headers, &format!("x-amz-meta-{name}"), &value)?;
    }
    Ok(headers)
}

impl S3Sink {
    pub fn new(
        options: &Options,
        env: &Env,
        bucket: Bucket,
        name: Name,
        (pack, content_type): (Pack, &str),
    ) -> Result<Self, String> {
        Ok(S3Sink {
            bucket,
            name,
            pack,
            headers: headers(options, content_type)?,
            check_object: options.flag("check_object"),
            overwrite: options.flag("overwrite"),
            check_bucket: options.flag("check_bucket"),
            make_bucket: options.flag("auto_create_bucket"),
            prepared: AtomicBool::new(false),
            last: Mutex::default(),
            owner: format!("{}/{}", sawlog_sys::host_name(), env.name),
            sys: env.sys.clone(),
        })
    }

    /// Puts an object under the first name that is free, unless it stands under one before.
    fn store(&self, template: &str, mark: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), String> {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let first = if last.0 == template { last.1 } else { 0 };
        for number in first..NUMBERS_MOST {
            let name = self.name.numbered(template, number)?;
            let there = if self.check_object { self.bucket.chunk_of(&name)? } else { None };
            let mut put = match there {
                Some(have) if have == mark => Put::Done,
                Some(_) if !self.overwrite || self.name.is_numbered() => Put::Taken,
                replaced => {
                    let mut headers = headers.clone();
                    if self.check_object && replaced.is_none() {
                        set(&mut headers, "if-none-match", "*")?;
                    }
                    self.bucket.put(&name, headers, body.clone())?
                }
            };
            // A request whose answer is lost may be sent twice: then the object that is there is this one.
            if put == Put::Taken && self.check_object && self.bucket.chunk_of(&name)?.as_deref() == Some(mark)
            {
                put = Put::Done;
            }
            match put {
                Put::Done => {
                    *last = (template.to_owned(), number + 1);
                    return Ok(());
                }
                Put::Taken if self.name.is_numbered() => {}
                Put::Taken => {
                    return Err(format!("there is another object {name}, and names have no %{{index}}"));
                }
                Put::NoBucket => {
                    self.prepared.store(false, Ordering::Relaxed);
                    return Err(format!("{name}: there is no bucket"));
                }
            }
        }
        Err(format!("there are {NUMBERS_MOST} objects of this name"))
    }
}

impl Sink for S3Sink {
    fn admits(&self, keys: &Keys, key: &Key) -> Result<(), String> {
        let template = self.name.template(keys, key, &"0".repeat(17));
        self.name.numbered(&template, NUMBERS_MOST - 1).map(|_| ())
    }

    fn deliver(&self, chunk: &Whole<'_>, keys: &Keys) -> Result<(), String> {
        if self.check_bucket && !self.prepared.load(Ordering::Relaxed) {
            self.bucket.prepare(self.make_bucket)?;
            self.prepared.store(true, Ordering::Relaxed);
        }
        let failed = |error: std::io::Error| format!("{}: {error}", chunk.path.display());
        let (body, sum) = self.pack.packed(&self.sys, chunk).map_err(failed)?;
        let mark = format!("{}-{:016x}-{sum:016x}", chunk.id, xxh3_64(self.owner.as_bytes()));
        let mut headers = self.headers.clone();
        set(&mut headers, CHUNK, &mark)?;
        self.store(&self.name.template(keys, chunk.key, chunk.id), &mark, &headers, &body)
    }
}
