//! A bucket in memory for tests, by a server that speaks as S3 does. Knows nothing of what is in objects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sawlog_pipeline::Options;
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;

use super::{Bucket, Credentials, Place, sign};
use crate::shared::web_server::{Came, Reply, WebServer};

/// Names and bytes of objects.
pub(crate) type There = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// The bucket `b`.
pub(crate) struct Objects {
    pub there: There,
    pub server: WebServer,
}

impl Objects {
    /// A server that lists so many objects on a page.
    pub fn start(page: usize) -> Objects {
        let there = There::default();
        let own = there.clone();
        let server = WebServer::start(move |came| Some(answer(&own, page, came)));
        Objects { there, server }
    }

    /// Where the server is.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// The client.
    pub fn bucket(&self) -> Bucket {
        let (key_id, secret) = ("K".to_owned(), "S".to_owned());
        let place = Place {
            name: "b",
            region: "us-east-1",
            endpoint: &self.endpoint(),
            in_path: true,
            credentials: Credentials { key_id, secret, token: String::new() },
            connect_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(60),
            tls: &Options::default(),
        };
        Bucket::new(place, self.server.runtime.handle(), &Stop::default(), &Sys::real()).unwrap()
    }
}

/// Text without percents, by the reader of queries.
fn decoded(text: &str) -> String {
    form_urlencoded::parse(format!("x={text}").as_bytes()).next().unwrap().1.into_owned()
}

fn answer(there: &There, page: usize, came: &Came) -> Reply {
    let mut there = there.lock().unwrap();
    let mut words = came.0.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| came.1.iter().find_map(|have| have.strip_prefix(name)).unwrap_or_default();
    if !header("authorization: ").contains("Credential=K/") || path.starts_with("/b/denied") {
        return Reply::new(403, "<Error><Code>AccessDenied</Code></Error>");
    }
    let Some(name) = path.strip_prefix("/b/").map(decoded) else { return listed(&there, page, query) };
    if method == "PUT" {
        assert_eq!(header("x-amz-content-sha256: "), sign::sum(&came.2), "the sum is the body's");
        assert_eq!(header("content-length: "), came.2.len().to_string(), "the length is told");
        there.insert(name, came.2.clone());
        return Reply::new(200, "");
    }
    let Some(body) = there.get(&name) else { return Reply::new(404, "<Code>NoSuchKey</Code>") };
    let tag = format!("ETag: \"{}\"", &sign::sum(body)[..8]);
    match header("range: bytes=").split_once('-') {
        Some((first, last)) => {
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            Reply::new(206, &body[first..=last]).with(&tag)
        }
        None => Reply::new(200, body.clone()).with(&tag),
    }
}

/// A page, whose token is the last name with what an address cannot have around it.
fn listed(there: &BTreeMap<String, Vec<u8>>, page: usize, query: &str) -> Reply {
    let given: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(given["list-type"], "2");
    let after = given.get("continuation-token").map(|token| token.strip_prefix("+/=&").unwrap().to_owned());
    let of_prefix = there.iter().filter(|(name, _)| name.starts_with(&given["prefix"]));
    let rest: Vec<_> =
        of_prefix.filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after)).collect();
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&#34;");
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                   <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix/>"
        .to_owned();
    for (name, body) in rest.iter().take(page) {
        let (name, size) = (escaped(name), body.len());
        xml +=
            &format!("<Contents><Key>{name}</Key><Size>{size}</Size><Owner><ID>1</ID></Owner></Contents>\n");
    }
    let more = rest.len() > page;
    xml += &format!("<IsTruncated>{more}</IsTruncated>");
    if more {
        xml +=
            &format!("<NextContinuationToken>+/=&amp;{}</NextContinuationToken>", escaped(rest[page - 1].0));
    }
    Reply::new(200, xml + "</ListBucketResult>")
}
