//! Objects of odd names and of every length against a bucket in memory, what is refused, and lists that are none.

use std::io::{Cursor, Read};

use super::bucket::ANSWER_MOST;
use super::listing::{Page, page};
use super::testing::Objects;
use super::*;

const ODD: &str = "20171128/a&b <\"c\">'d+e%20\u{e4}=?#~-20171128-h.log";

fn put(bucket: &Bucket, name: &str, body: &'static [u8]) -> Result<(), String> {
    bucket.upload(name, || Ok(Box::new(body)))
}

fn got(bucket: &Bucket, name: &str, len: u64) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    bucket.object(name, len).read_to_end(&mut body).map_err(|error| error.to_string())?;
    Ok(body)
}

#[test]
fn odd_names_come_back_over_two_pages() {
    let objects = Objects::start(2);
    let bucket = objects.bucket();
    for (name, body) in [(ODD, &b"odd"[..]), ("20171128/x", b""), ("20171128/y", b"yy"), ("20171129/z", b"z")]
    {
        put(&bucket, name, body).unwrap();
    }
    let names: Vec<_> = bucket.list("20171128/").unwrap();
    let wanted = [(ODD, 3), ("20171128/x", 0), ("20171128/y", 2)].map(|(name, len)| (name.to_owned(), len));
    assert_eq!(names, wanted);
    assert_eq!(bucket.list("2016").unwrap(), []);
    assert_eq!(bucket.size(ODD).unwrap(), Some(3));
    assert_eq!(got(&bucket, ODD, 3).unwrap(), b"odd");
    assert_eq!(got(&bucket, "20171128/x", 0).unwrap(), b"");
}

#[test]
fn what_is_refused_or_missing_is_told() {
    let objects = Objects::start(2);
    let bucket = objects.bucket();
    assert_eq!(bucket.size("none").unwrap(), None);
    assert!(got(&bucket, "none", 1).unwrap_err().contains("404"));
    for told in [
        bucket.size("denied").unwrap_err(),
        put(&bucket, "denied", b"x").unwrap_err(),
        got(&bucket, "denied", 1).unwrap_err(),
    ] {
        assert!(told.contains("403") && told.contains("/b/denied"), "{told}");
    }
    assert!(put(&bucket, "denied", b"x").unwrap_err().contains("AccessDenied"));
    // Shorter by now than the list said.
    put(&bucket, "short", b"x").unwrap();
    objects.there.lock().unwrap().insert("long".to_owned(), vec![0; 3]);
    assert!(got(&bucket, "long", 2).is_ok_and(|body| body.len() == 2));
    let unread = bucket.upload("gone", || Err(std::io::Error::other("it cannot be opened")));
    assert!(unread.unwrap_err().contains("cannot be opened"));
    assert!(!objects.there.lock().unwrap().contains_key("gone"));
}

#[test]
fn long_objects_go_and_come_in_pieces() {
    let objects = Objects::start(2);
    let bucket = objects.bucket();
    let body: Vec<u8> = (0..ANSWER_MOST + 100_001).map(|n| (n * 7 / 5) as u8).collect();
    let own = body.clone();
    bucket.upload("long", move || Ok(Box::new(Cursor::new(own.clone())))).unwrap();
    let len = bucket.size("long").unwrap().unwrap();
    assert!(got(&bucket, "long", len).unwrap() == body);
    let mut reading = bucket.object("long", len);
    reading.read_exact(&mut [0; 10]).unwrap();
    // Another one of the same length takes its place meanwhile.
    objects.there.lock().unwrap().get_mut("long").unwrap()[0] ^= 1;
    let failed = reading.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(failed.to_string().contains("replaced"), "{failed}");
}

#[test]
fn an_upload_whose_file_grew_shorter_puts_nothing() {
    let objects = Objects::start(2);
    let opened = std::cell::Cell::new(0);
    let put = objects.bucket().upload("f", || {
        opened.set(opened.get() + 1);
        Ok(Box::new(Cursor::new(vec![7; 200_000 / opened.get()])))
    });
    put.unwrap_err();
    assert!(objects.there.lock().unwrap().is_empty());
}

#[test]
fn pages_are_read_strictly() {
    let list = |inside: &str| page(format!("<ListBucketResult>{inside}</ListBucketResult>").as_bytes());
    let one = "<Contents><Key>a&#x41;&#66;&apos;<![CDATA[<&>]]></Key><!-- > --><Size> 5 </Size></Contents>";
    let objects = vec![("aAB'<&>".to_owned(), 5)];
    assert_eq!(list(one), Ok(Page { objects, next: None }));
    assert_eq!(list(""), Ok(Page::default()));
    let page_of_more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
    assert_eq!(list(page_of_more).unwrap().next, Some("t".to_owned()));
    for (inside, told) in [
        ("<IsTruncated>true</IsTruncated>", "where"),
        ("<Contents><Key>a</Key></Contents>", "no size"),
        ("<Contents><Key>a</Key><Size>-1</Size></Contents>", "no size of an object"),
        ("<Contents><Key>&x;</Key></Contents>", "stands for nothing"),
        ("<Contents><Key>&#xD800;</Key></Contents>", "stands for nothing"),
        ("<Contents></Key>", "do not end as they begin"),
        ("<!DOCTYPE x>", "declares"),
        (&"<a>".repeat(20), "of its kind"),
    ] {
        let refused = list(inside).unwrap_err();
        assert!(refused.contains(told), "{inside}: {refused}");
    }
    for (whole, told) in [
        (&b""[..], "empty"),
        (b"<Error><Code>x</Code></Error>", "no list"),
        (b"<ListBucketResult>", "middle"),
        (b"<ListBucketResult a='>'", "middle"),
        (b"x", "outside"),
        (b"\xff", "no text"),
    ] {
        let refused = page(whole).unwrap_err();
        assert!(refused.contains(told), "{whole:?}: {refused}");
    }
}
