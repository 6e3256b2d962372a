//! Streams of real clients.

use sawlog_pipeline::Sample;

const fn sample(name: &'static str, events: usize, bytes: &'static [u8]) -> Sample {
    Sample { name, bytes, events }
}

/// Samples of every framing, from the clients named.
pub(super) const SAMPLES: &[Sample] = &[
    sample(
        "logger -T: RFC 5424, each with a line feed",
        2,
        b"<134>1 2026-11-20T23:51:31.118469+00:00 vm myapp - - [timeQuality tzKnown=\"1\" isSynced=\"0\"] hello tcp\n\
          <134>1 2026-11-20T23:51:31.118470+00:00 vm myapp - - - again\n",
    ),
    sample(
        "logger -T --octet-count",
        2,
        b"103 <13>1 2026-11-20T23:51:31.222254+00:00 vm myapp - - [timeQuality tzKnown=\"1\" isSynced=\"0\"] hello octets\
          103 <13>1 2026-11-20T23:51:31.222254+00:00 vm myapp - - [timeQuality tzKnown=\"1\" isSynced=\"0\"] hello octets",
    ),
    sample("logger -d --rfc3164", 1, b"<13>Nov 20 23:51:31 vm myapp: hello bsd\n"),
    sample("logger, local socket: no host", 1, b"<13>Nov 20 23:51:31 myapp: hello local\n"),
    sample(
        "logger --sd-id: credentials in structured data",
        1,
        b"<13>1 2026-11-20T23:51:34.663632+00:00 vm myapp 4242 ID47 [timeQuality tzKnown=\"1\" isSynced=\"0\"][meniscus@1 tenant=\"1022\" token=\"tok\"] hello sd@\n",
    ),
    sample(
        "rsyslog, octet-counted, the line feed counted",
        1,
        b"141 <13>1 2026-11-20T23:53:23.275115+00:00 vm myapp - - [meniscus tenant=\"1022\" token=\"0ebcdb6a-fa82-4241-a806-0e936c01d80a\"]  hello via rsyslog\n",
    ),
    sample("a byte order mark before the text, no time", 1, b"<34>1 - h app 1 ID47 - \xef\xbb\xbfcaf\xc3\xa9\n"),
    sample("a line break in a counted message", 1, b"35 <13>Nov 20 23:51:31 vm a: one\nthree\n"),
    sample("no syslog", 3, b"garbage\n<13>\n<999>Nov 20 23:51:31 vm a: b\n"),
];
