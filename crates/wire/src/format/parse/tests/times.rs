//! Times in configured formats.

use super::super::strptime::Format;
use super::super::time::{How, TimeReader};
use crate::format::zone::Clock;
use sawlog_model::time::rfc3339;

/// 2013-12-10T00:00:00Z.
const NOW: i64 = 1_386_633_600_000_000_000;

fn read(how: How, zone: &str, text: &str) -> String {
    let mut reader = TimeReader::new(how, Clock::new(Some(zone), NOW).unwrap());
    reader.read(text.as_bytes()).map_or("-".to_owned(), |(time, _)| rfc3339(time))
}

#[test]
fn formats_as_ruby_reads_them() {
    for (format, text, time) in [
        ("%d/%b/%Y:%H:%M:%S %z", "03/Dec/2013:16:29:19 +0700", "2013-12-03T09:29:19Z"),
        ("%d/%b/%Y:%H:%M:%S", "03/Dec/2013:16:29:19 +0700", "2013-12-03T16:29:19Z"),
        ("%Y-%m-%dT%H:%M:%S.%L%z", "2013-12-03T16:29:19.25Z", "2013-12-03T16:29:19.250Z"),
        ("%Y-%m-%dT%H:%M:%S.%N%:z", "2013-12-03T16:29:19.123456789-03:30", "2013-12-03T19:59:19.123456789Z"),
        ("%b %d %H:%M:%S", "Dec  3 16:29:19", "2013-12-03T16:29:19Z"),
        ("%b %e %H:%M:%S", "Dec 31 16:29:19", "2012-12-31T16:29:19Z"),
        ("%F %T", "2013-12-03 16:29:19", "2013-12-03T16:29:19Z"),
        ("%s", "1386088159", "2013-12-03T16:29:19Z"),
        ("%s.%L", "1386088159.5", "2013-12-03T16:29:19.500Z"),
        ("%Q", "1386088159250", "2013-12-03T16:29:19.250Z"),
        ("%y%m%d %k:%M:%S", "131203  6:29:19", "2013-12-03T06:29:19Z"),
        ("%a %b %d %I:%M:%S %p %Y", "Tue Dec 03 04:29:19 PM 2013", "2013-12-03T16:29:19Z"),
        ("%Y/%j", "2013/337", "2013-12-03T00:00:00Z"),
        ("%H:%M:%S", "16:29:19", "2013-12-10T16:29:19Z"),
        ("%d %B %Y %H:%M %Z", "3 December 2013 16:29 EST", "2013-12-03T21:29:00Z"),
        ("%Y-%m-%d", "2013-02-30", "-"),
        ("%Y-%m-%d", "x", "-"),
        ("%%%Y", "%2013", "2013-01-01T00:00:00Z"),
    ] {
        let how = How::Format(Format::new(format).unwrap());
        assert_eq!(read(how, "UTC", text), time, "{format} on {text}");
    }
    assert!(Format::new("%Y %K").unwrap_err().contains("%K"));
}

#[test]
fn times_without_a_zone_have_the_one_that_is_set() {
    let how = How::Format(Format::new("%Y-%m-%d %H:%M:%S").unwrap());
    assert_eq!(read(how.clone(), "+09:00", "2013-12-03 16:29:19"), "2013-12-03T07:29:19Z");
    assert_eq!(read(how, "Europe/Zurich", "2013-07-03 16:29:19"), "2013-07-03T14:29:19Z");
}

#[test]
fn counts_of_seconds() {
    assert_eq!(read(How::Unixtime, "UTC", "1386088159"), "2013-12-03T16:29:19Z");
    assert_eq!(read(How::Float, "UTC", "1386088159.25"), "2013-12-03T16:29:19.250Z");
    assert_eq!(read(How::Float, "UTC", "2013-12-03T16:29:19Z"), "2013-12-03T16:29:19Z");
    assert_eq!(read(How::Unixtime, "UTC", "soon"), "-");
    let mixed = How::Mixed(vec![How::Unixtime, How::Format(Format::new("%Y-%m-%d").unwrap())]);
    assert_eq!(read(mixed.clone(), "UTC", "2013-12-03"), "2013-12-03T00:00:00Z");
    assert_eq!(read(mixed, "UTC", "1386088159"), "2013-12-03T16:29:19Z");
}
