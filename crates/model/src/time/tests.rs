//! Layouts: the numbers on disk, what is read, and that it prints back.

use super::*;

/// Reads a text that holds nothing else, and checks that its layout prints it back.
fn check(text: &str, number: u8, time: &str) {
    let stamp = read(text.as_bytes())
        .or_else(|| read_epoch(text.as_bytes()))
        .unwrap_or_else(|| panic!("{text}: not read"));
    assert_eq!(stamp.layout, Layout(number), "{text}");
    let reference = 1_700_000_000 * SECOND;
    let at = stamp.time(0, reference).unwrap_or_else(|| panic!("{text}: no time"));
    assert_eq!(rfc3339(at), time, "{text}");
    if number != 0 {
        let covered = &text.as_bytes()[..stamp.len];
        let zone = stamp.layout.find_zone(at, covered).unwrap_or_else(|| panic!("{text}: no zone found"));
        let mut out = Vec::new();
        assert!(stamp.layout.print(at, zone, &mut out), "{text}");
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(covered));
    }
}

/// These numbers are on people's disks: a line may be added here, none may change.
#[test]
fn numbers_stay() {
    for (text, number, time) in [
        ("2015-07-29T17:41:44", 1, "2015-07-29T17:41:44Z"),
        ("2015-07-29T17:41:44Z", 2, "2015-07-29T17:41:44Z"),
        ("2015-07-29T17:41:44+02:00", 3, "2015-07-29T15:41:44Z"),
        ("2015-07-29T17:41:44-0230", 4, "2015-07-29T20:11:44Z"),
        ("2015-07-29T17:41:44 +0200", 5, "2015-07-29T15:41:44Z"),
        ("2015-07-29T17:41:44+02", 6, "2015-07-29T15:41:44Z"),
        ("2022-08-22T05:18:20.847Z", 8, "2022-08-22T05:18:20.847Z"),
        ("2022-08-22T05:18:20.847757Z", 14, "2022-08-22T05:18:20.847757Z"),
        ("2022-08-22T05:18:20.8477570Z", 20, "2022-08-22T05:18:20.847757Z"),
        ("2022-08-22T05:18:20.847757190Z", 26, "2022-08-22T05:18:20.847757190Z"),
        ("2022-08-22T05:18:20.847757191Z", 32, "2022-08-22T05:18:20.847757191Z"),
        ("2022-08-22T05:18:20.84775719Z", 32, "2022-08-22T05:18:20.847757190Z"),
        ("2015-07-29 17:41:44", 55, "2015-07-29T17:41:44Z"),
        ("2021-12-03 07:14:48.591", 61, "2021-12-03T07:14:48.591Z"),
        ("2023-11-18 08:46:14,674", 91, "2023-11-18T08:46:14.674Z"),
        ("2026/08/05 00:17:58", 109, "2026-08-05T00:17:58Z"),
        ("2009/01/23 01:23:23.123123", 111, "2009-01-23T01:23:23.123123Z"),
        ("2005.11.09 12:01:01", 114, "2005-11-09T12:01:01Z"),
        ("20171223-22:15:29:606", 120, "2017-12-23T22:15:29.606Z"),
        ("20171223 22:15:29", 121, "2017-12-23T22:15:29Z"),
        ("20171223T221529Z", 127, "2017-12-23T22:15:29Z"),
        ("121123 19:56:06", 129, "2012-11-23T19:56:06Z"),
        ("090127  1:23:34", 134, "2009-01-27T01:23:34Z"),
        ("081109 203518", 135, "2008-11-09T20:35:18Z"),
        ("17/06/09 20:10:40", 136, "2017-06-09T20:10:40Z"),
        ("26/Jan/2019:19:45:25 +0330", 142, "2019-01-26T16:15:25Z"),
        ("28-Apr-2018 14:28:44.652", 152, "2018-04-28T14:28:44.652Z"),
        ("28 Apr 2018 14:28:44.652", 157, "2018-04-28T14:28:44.652Z"),
        ("Thu, 09 Jun 2005 06:07:04 +0000", 162, "2005-06-09T06:07:04Z"),
        ("Nov  8 08:46:14", 163, "2023-11-08T08:46:14Z"),
        ("Nov 18 08:46:14", 163, "2022-11-18T08:46:14Z"),
        ("Nov 08 08:46:14", 168, "2023-11-08T08:46:14Z"),
        ("Nov 8 08:46:14.5", 176, "2023-11-08T08:46:14.500Z"),
        ("Thu Jun  9 06:07:04 2005", 178, "2005-06-09T06:07:04Z"),
        ("Sun Dec 04 04:47:44 2005", 183, "2005-12-04T04:47:44Z"),
        ("Mon Aug  5 20:27:15", 188, "2019-08-05T20:27:15Z"),
        ("03-17 16:13:38.811", 194, "2023-03-17T16:13:38.811Z"),
        ("03/17 16:13:38", 198, "2023-03-17T16:13:38Z"),
        ("10.30 16:49:06", 203, "2023-10-30T16:49:06Z"),
        ("0317 16:13:38.811123", 210, "2023-03-17T16:13:38.811123Z"),
        ("03/17/2023 16:13:38", 213, "2023-03-17T16:13:38Z"),
        ("17.03.2023 16:13:38", 218, "2023-03-17T16:13:38Z"),
        ("2005-06-03-15.42.50.675872", 225, "2005-06-03T15:42:50.675872Z"),
        ("2016-09-07 19:56.18", 228, "2016-09-07T19:56:18Z"),
        ("1131566461", 229, "2005-11-09T20:01:01Z"),
        ("1698430878.97238", 233, "2023-10-27T18:21:18.972380Z"),
        ("1671662142504", 234, "2022-12-21T22:35:42.504Z"),
        ("1671662142504123", 235, "2022-12-21T22:35:42.504123Z"),
        ("1671662142504123456", 236, "2022-12-21T22:35:42.504123456Z"),
    ] {
        check(text, number, time);
    }
}

#[test]
fn what_no_layout_prints_is_still_a_time() {
    for (text, time) in [
        ("2015-07-29T17:41:44-00:00", "2015-07-29T17:41:44Z"),
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00Z"),
        ("20171224-0:1:2:33", "2017-12-24T00:01:02.033Z"),
        ("Thu Jun  2 00:01:01 CEST 2022", "2022-06-01T22:01:01Z"),
        ("2015-07-29T17:41:44.1234567891Z", "2015-07-29T17:41:44.123456789Z"),
    ] {
        check(text, 0, time);
    }
}

#[test]
fn a_short_zone_name_is_read_but_left_to_the_line() {
    let stamp = read(b"2023-03-07 09:06:08 CET [1]: x").unwrap();
    assert_eq!((stamp.len, stamp.tail, stamp.zone, stamp.layout), (19, 4, Some(3600), Layout(55)));
    let stamp = read(b"2023-03-07 09:06:08 CETX").unwrap();
    assert_eq!((stamp.len, stamp.zone), (19, None));
    let stamp = read(b"2023-03-07 09:06:08 LOG:  x").unwrap();
    assert_eq!((stamp.len, stamp.zone), (19, None));
}

#[test]
fn what_is_no_time() {
    for text in [
        "",
        "2",
        "2015",
        "2015-07-29",
        "2015-13-29 17:41:44",
        "2015-02-29 17:41:44",
        "2015-07-29 24:41:44",
        "2015-07-29 17:41",
        "2015-07-29 17:61:44",
        "2015-07-29 17:41:444",
        "2015-07-29_17:41:44",
        "Nov 31 08:46:14",
        "Nov",
        "Nov 8",
        "Foo 8 08:46:14",
        "1.2.3.4",
        "10.30",
        "00/Jan/2019:19:45:25 +0330",
        "99999999 999999",
        "Thu, ",
        "1234567",
        "12345678901",
    ] {
        assert_eq!(read(text.as_bytes()), None, "{text}");
        assert_eq!(read_epoch(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_comma_before_a_column_is_no_fraction() {
    assert_eq!(read(b"2021-01-22 10:03:22,1486,x").unwrap().len, 19);
    assert_eq!(read(b"2021-01-22 10:03:22, 148").unwrap().len, 19);
    assert_eq!(read(b"2021-01-22 10:03:22,148 x").unwrap().len, 23);
}

#[test]
fn a_missing_year_is_the_latest_that_has_come() {
    let reference = |text: &str| read(text.as_bytes()).unwrap().time(0, 0).unwrap();
    let time = |text: &str, now: &str, zone| {
        rfc3339(read(text.as_bytes()).unwrap().time(zone, reference(now)).unwrap())
    };
    assert_eq!(time("Dec 31 23:59:59", "2024-01-01T00:00:00Z", 0), "2023-12-31T23:59:59Z");
    assert_eq!(time("Jan  2 00:00:00", "2024-01-01T00:00:00Z", 0), "2024-01-02T00:00:00Z");
    assert_eq!(time("Jan  2 00:00:01", "2024-01-01T00:00:00Z", 0), "2023-01-02T00:00:01Z");
    assert_eq!(time("Feb 29 12:00:00", "2027-06-01T00:00:00Z", 0), "2024-02-29T12:00:00Z");
    assert_eq!(time("Jan  2 01:00:00", "2024-01-01T00:00:00Z", 3600), "2024-01-02T00:00:00Z");
}

#[test]
fn times_out_of_range_are_none() {
    assert_eq!(read(b"9999-01-01T00:00:00Z").unwrap().time(0, 0), None);
    assert_eq!(read(b"0001-01-01T00:00:00Z").unwrap().time(0, 0), None);
    let first = read(b"1677-09-21T00:12:44Z").unwrap().time(0, 0).unwrap();
    let mut out = Vec::new();
    assert!(Layout(2).print(first, 0, &mut out));
    assert_eq!(out, b"1677-09-21T00:12:44Z");
}

#[test]
fn every_layout_prints_what_is_read_again() {
    let time = 1_131_566_461_123_000_000;
    for number in 1..=255u8 {
        let layout = Layout(number);
        let mut text = Vec::new();
        for nanos in [0, 120_000_000, 123_000_000, 123_456_000, 123_456_789] {
            for second in [0, -30_000, 10_000_000] {
                let time = time / SECOND * SECOND + nanos + second * SECOND;
                text.clear();
                if !layout.print(time, 7200, &mut text) {
                    assert!(text.is_empty());
                    continue;
                }
                let stamp =
                    read(&text).or_else(|| read_epoch(&text)).unwrap_or_else(|| panic!("{number}: {text:?}"));
                assert_eq!(stamp.len, text.len(), "{}", String::from_utf8_lossy(&text));
                assert_eq!(stamp.time(7200, time), Some(time), "{}", String::from_utf8_lossy(&text));
                let mut again = Vec::new();
                assert!(stamp.layout.print(time, 7200, &mut again), "{}", String::from_utf8_lossy(&text));
                assert_eq!(again, text);
                assert!(layout.find_zone(time, &text).is_some());
            }
        }
    }
}
