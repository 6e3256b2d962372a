//! Rule bases that use everything, and lines for them.

/// A rule base and lines.
#[derive(Default)]
pub(super) struct Case {
    pub rules: String,
    pub lines: Vec<String>,
    /// Other rule bases, beside it: names and texts.
    pub files: Vec<(&'static str, &'static str)>,
}

/// A rule base as it stands, and lines.
pub(super) fn as_it_stands(rules: &str, lines: &[&str]) -> Case {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    Case { rules: rules.to_owned(), lines, files: Vec::new() }
}

/// A rule for a type alone, between marks, and texts for it.
fn one(field: &str, texts: &[&str]) -> Case {
    let lines = texts.iter().map(|text| format!("<{text}> end"));
    let open = texts.iter().map(|text| format!("<{text}"));
    Case {
        rules: format!("version=2\nrule=t:<%{field}%> end\nrule=o:<%{field}%\n"),
        lines: lines.chain(open).collect(),
        ..Case::default()
    }
}

/// The same in version 1.
fn old(field: &str, texts: &[&str]) -> Case {
    let case = one(field, texts);
    Case { rules: case.rules.replacen("version=2\n", "", 1), ..case }
}

const NUMBERS: &[&str] =
    &["0", "007", "12", "123456789012345", "-1", "1.5", ".5", "-3.25", "1.2.3", "", "x", "12x", "-"];
const TIMES: &[&str] = &[
    "Nov 20 23:25:54",
    "Nov  2 03:05:04",
    "Nov 2 3:5:4",
    "nov 20 2013 23:25:54",
    "Feb 31 00:00:60:",
    "Foo 1 00:00:00",
    "Jun 1 24:00:00",
    "2013-11-20T23:25:54Z",
    "2013-11-20T23:25:54.123456Z",
    "2013-11-20T23:25:54.1+02:00",
    "2013-11-20T23:25:54-07:30",
    "2013-9-1T1:0:0Z",
    "2013-11-20T23:25:54",
    "2013-11-20",
    "2013-13-20",
    "2013-02-31",
    "23:25:54",
    "12:25:54",
    "13:25:54",
    "24:00:00",
    "0:25:54",
    "37:59:59",
    "[12345.123456]",
    "[123456789012.123456]",
    "[1234.123456]",
    "[12345.12345]",
];
const NETS: &[&str] = &[
    "10.0.0.7",
    "255.255.255.255",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "0.0.0.0",
    "::",
    "::1",
    "fe80::1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "::ffff:10.0.0.7",
    "1:2",
    "12345::",
    "01:23:45:67:89:ab",
    "01-23-45-67-89-AB",
    "01:23-45:67:89:ab",
    "outside:192.168.52.102/50349",
    "inside:192.168.1.15/56543 (192.168.1.112/54543)",
    "outside:192.168.1.13/50179 (192.168.1.13/50179)(LOCAL\\some.user)",
    "outside:192.168.1.25/41850(LOCAL\\RG-867G8-DEL88D879BBFFC8)",
    "inside:192.168.1.25/53 (192.168.1.25/53) (some.user)",
    "192.168.1.15/0(LOCAL\\RG-867G8-DEL88D879BBFFC8)",
    "192.168.1.15",
    ":192.168.1.15/1",
];
const TEXTS: &[&str] = &[
    "word",
    "two words",
    "",
    " ",
    "a,b",
    "abc1",
    "\"quoted\"",
    "\"quoted text\"",
    "\"open",
    "\"\"",
    "\"a \"\"b\"\" c\"",
    "\"a \\\"b\\\" c\"",
    "größe",
    "tab\there",
    "{\"a\":1,\"b\":[true,null,\"x\"]}",
    "{\"a\":{\"b\":{}}}  ",
    "{\"a\":1",
    "a=1 b=2",
    "a=\"x y\" b='z' c=",
    "a=1,b=2",
    "x:1;y:2",
    "Ox1f",
    "0x1F ",
    "0x ",
];

/// Every type without parameters, and with those that there are.
pub(super) fn types() -> Vec<Case> {
    let all = [NUMBERS, TIMES, NETS, TEXTS].concat();
    let mut cases = Vec::new();
    for name in [
        "number",
        "float",
        "hexnumber",
        "kernel-timestamp",
        "whitespace",
        "ipv4",
        "word",
        "alpha",
        "rest",
        "date-iso",
        "time-24hr",
        "time-12hr",
        "duration",
        "date-rfc3164",
        "date-rfc5424",
        "cisco-interface-spec",
        "mac48",
        "quoted-string",
        "op-quoted-string",
    ] {
        cases.push(one(&format!("f:{name}"), &all));
        cases.push(old(&format!("f:{name}"), &all));
    }
    for field in [
        "f:number{\"format\":\"number\",\"maxval\":100}",
        "f:float{\"format\":\"number\"}",
        "f:date-rfc5424{\"format\":\"timestamp-unix\"}",
        "f:date-rfc5424{\"format\":\"timestamp-unix-ms\"}",
        "f:char-to:>",
        "f:char-to:\\x3e,",
        "f:char-sep:>",
        "f:string-to:> e",
        "{\"type\":\"string\",\"name\":\"f\",\"matching.mode\":\"lazy\",\"matching.permitted\":\"abcdef\"}",
        "{\"type\":\"string\",\"name\":\"f\",\"matching.mode\":\"lazy\",\"matching.permitted\":[{\"class\":\"digit\"},{\"chars\":\"xyz\"}]}",
        "{\"type\":\"string\",\"name\":\"f\",\"quoting.mode\":\"required\",\"matching.mode\":\"lazy\"}",
        "{\"type\":\"string\",\"name\":\"f\",\"quoting.mode\":\"none\"}",
        "{\"type\":\"string\",\"name\":\"f\",\"quoting.escape.mode\":\"double\",\"matching.mode\":\"lazy\"}",
        "{\"type\":\"string\",\"name\":\"f\",\"quoting.escape.mode\":\"backslash\",\"matching.mode\":\"lazy\"}",
        "{\"type\":\"string\",\"name\":\"f\",\"quoting.escape.mode\":\"none\",\"quoting.char.begin\":\"(\",\"quoting.char.end\":\")\",\"matching.mode\":\"lazy\"}",
        "{\"type\":\"literal\",\"text\":\"word\",\"name\":\"f\"}",
        "f:name-value-list",
    ] {
        cases.push(one(field, &all));
    }
    cases.push(old("f:char-to:>", &all));
    cases.push(old("f:char-sep:>", &all));
    cases.push(old("f:string-to:> e", &all));
    // What must stand at the end, or be followed by a blank.
    let bare = |field: &str, version: &str, texts: &[&str]| Case {
        rules: format!("{version}rule=:%f:{field}%\nrule=b:%f:{field}% more\n"),
        lines: texts
            .iter()
            .filter(|text| !text.is_empty())
            .flat_map(|text| [(*text).to_owned(), format!("{text} more")])
            .collect(),
        ..Case::default()
    };
    let pairs = [
        "CEF:0|Vendor|Product|1.0|100|Some \\| name|5| src=10.0.0.1 msg=a b c\\=d dst=2",
        "CEF:0|v|p|1|2|n|3|",
        "CEF:0|v|p|1|2|n|",
        "IN=eth0 OUT= MAC=aa:bb SRC=1.2.3.4 DF PROTO=TCP",
        "IN=eth0",
        "in=eth0 OUT=",
        "a: 1; b: two words; c:;",
        "a: 1; b",
        "@cee: {\"a\":1}",
        "@cee:{\"a\":1} x",
    ];
    let texts = [all.as_slice(), &pairs].concat();
    for field in [
        "ipv6",
        "json",
        "cee-syslog",
        "cef",
        "v2-iptables",
        "checkpoint-lea",
        "name-value-list",
        "hexnumber",
        "mac48",
        "cisco-interface-spec",
        "string",
    ] {
        cases.push(bare(field, "version=2\n", &texts));
        if field != "string" {
            cases.push(bare(field, "", &texts));
        }
    }
    cases.push(bare("iptables", "", &texts));
    cases
}

/// How rules, names, types, repetitions and alternatives work together.
pub(super) fn together() -> Vec<Case> {
    let case = |rules: &str, lines: &[&str]| as_it_stands(&format!("version=2\n{rules}"), lines);
    let old = as_it_stands;
    let many = [
        "a b c",
        "a b",
        "a",
        "ab",
        "a x c",
        "a 1 c",
        "a 12",
        "b c",
        "a b c d",
        "a  b",
        "1.2.3.4 b",
        "a b cd",
        "a 1",
    ];
    let shared = "rule=one:a %x:word% c\nrule=two:a %x:number%\nrule=three:a b\nrule=:%ip:ipv4% %w:word%\nrule=:%first:word% c\n\
                  rule=r:a %x:word% c %r:rest%\n";
    vec![
        case(shared, &many),
        old(shared, &many),
        case(
            "rule=:100%% of \\x25%n:number%\\t|%%|%w:word%\n",
            &["100% of %7\t|%|x", "100% of 7", "100% of %7\\t|%|x"],
        ),
        case(
            "type=@pair:%k:char-to:=%=%v:word%\ntype=@one:%..:word%\nrule=p:p %x:@pair% %.:@pair%\nrule=o:o %x:@one%\n\
             rule=d:d %-:@pair% %-:word%\n",
            &["p a=1 b=2", "p a=1", "o x", "d a=1 z", "d a=1", "p a=1 k=2 v=3"],
        ),
        case(
            "rule=:%{\"type\":\"alternative\",\"parser\":[{\"name\":\"n\",\"type\":\"number\"},{\"name\":\"w\",\"type\":\"alpha\"}]}% end\n\
             rule=:%{\"type\":\"alternative\",\"parser\":[[{\"type\":\"literal\",\"text\":\"x \"},{\"name\":\"ip\",\"type\":\"ipv4\"}],{\"name\":\"rest\",\"type\":\"rest\"}]}%\n",
            &["1 end", "abc end", "x 1.2.3.4", "x y", "1 en"],
        ),
        case(
            "rule=:%[{\"name\":\"a\",\"type\":\"word\"},{\"type\":\"literal\",\"text\":\" - \"},{\"name\":\"b\",\"type\":\"number\"}]%!\n",
            &["x - 7!", "x - 7", "x-7!"],
        ),
        case(
            "rule=:%{\"name\":\"l\",\"type\":\"repeat\",\"parser\":[{\"name\":\"a\",\"type\":\"number\"},{\"type\":\"literal\",\"text\":\":\"},{\"name\":\"b\",\"type\":\"word\"}],\"while\":{\"type\":\"literal\",\"text\":\" \"}}%\n\
             rule=p:p %{\"name\":\"l\",\"type\":\"repeat\",\"option.permitMismatchInParser\":true,\"parser\":{\"name\":\".\",\"type\":\"number\"},\"while\":{\"type\":\"literal\",\"text\":\", \"}}%, %r:rest%\n\
             rule=q:q%{\"name\":\"-\",\"type\":\"repeat\",\"parser\":{\"type\":\"number\",\"name\":\"n\"},\"while\":{\"type\":\"literal\",\"text\":\",\"}}%.\n",
            &["1:a 2:b 3:c", "1:a", "1:a 2", "p 1, 2, 3, x", "p 1, x", "p x", "q1,2,3.", "q1,2,", "q."],
        ),
        case(
            "rule=:x %{\"name\":\"a\",\"type\":\"word\",\"priority\":100}% z\nrule=:x %{\"name\":\"b\",\"type\":\"number\",\"priority\":200}% z\n\
             rule=:y %{\"name\":\"a\",\"type\":\"word\"}% z\nrule=:y %{\"name\":\"b\",\"type\":\"number\"}% z\n",
            &["x 1 z", "x w z", "y 1 z", "y w z"],
        ),
        case(
            "prefix=%h:word% \nrule=a,b:x\nextendprefix=more \nrule=:%w:word%\nprefix=\nrule=c:plain\n\
             annotate=a:+f=\"1\"\nannotate=b:+f=\"2\" +g=\"x y\"\nannotate=a:+h=\"3\" # more\n",
            &["H x", "H more w", "plain", "H y", "H more"],
        ),
        case(
            "rule=:%a:word\n   % %b\n:number%\n\n# comment\nrule=:last %r:rest%",
            &["w 7", "last line", "last ", "w x"],
        ),
        old(
            "prefix=%date:date-rfc3164% %host:word% %tag:char-to:\\x3a%:\nrule=: restart.\n\
             rule=ident: Bad line received from identity server at %ip:ipv4%: %port:number%\nrule=: FTP session closed\n\
             rule=: User %user:word% timed out\nrule=: User %user:word% timed in %-:rest%\nannotate=ident:+what=\"ident\"\n",
            &[
                "Oct 29 09:47:08 myhostname rsyslogd: restart.",
                "Oct 29 09:47:08 myhostname x: Bad line received from identity server at 10.0.0.1: 88",
                "Oct 29 09:47:08 myhostname x: Bad line received from identity server at 10.0.0.1: 88 ",
                "Oct 29 09:47:08 myhostname ftpd: FTP session closed",
                "Oct 29 09:47:08 myhostname ftpd: FTP session",
                "Oct 29 09:47:08 myhostname ftpd: User me timed out",
                "Oct 29 09:47:08 myhostname ftpd: User me timed in a second",
                "Oct 29 09:47:08 myhostname",
                "Oct 29 09:47:0",
                "nothing",
            ],
        ),
    ]
}

/// Rules for the real lines of `Linux.log` and of an Apache.
pub(super) const SYSLOG: &str = "version=2
prefix=%date:date-rfc3164% %host:word% 
rule=pam,fail:sshd(pam_unix)[%pid:number%]: authentication failure; logname=%logname:char-sep: % uid=%uid:number% euid=%euid:number% tty=%tty:char-sep: % ruser=%ruser:char-sep: % rhost=%rhost:char-sep: %
rule=pam,fail:sshd(pam_unix)[%pid:number%]: authentication failure; logname=%logname:char-sep: % uid=%uid:number% euid=%euid:number% tty=%tty:char-sep: % ruser=%ruser:char-sep: % rhost=%rhost:word%  user=%user:word%
rule=pam:sshd(pam_unix)[%pid:number%]: check pass; user unknown
rule=session:%program:char-to:(%(pam_unix)[%pid:number%]: session %what:word% for user %user:word% by %by:rest%
rule=session:%program:char-to:(%(pam_unix)[%pid:number%]: session %what:word% for user %user:word%
rule=ftp:ftpd[%pid:number%]: connection from %ip:ipv4% (%name:char-to:)%) at %at:rest%
rule=ftp:ftpd[%pid:number%]: connection from %ip:ipv4% () at %at:rest%
rule=kernel:kernel: %message:rest%
rule=any:%program:char-to:[%[%pid:number{\"format\":\"number\"}%]: %message:rest%
rule=any:%program:char-to:\\x3a%: %message:rest%
";

/// The same shape in version 1.
pub(super) const SYSLOG_V1: &str = "prefix=%date:date-rfc3164% %host:word% 
rule=pam,fail:sshd(pam_unix)[%pid:number%]: authentication failure; logname= uid=%uid:number% euid=%euid:number% tty=%tty:word% ruser= rhost=%rhost:word%  user=%user:word%
rule=pam:sshd(pam_unix)[%pid:number%]: check pass; user unknown
rule=ftp:ftpd[%pid:number%]: connection from %ip:ipv4% (%name:char-to:)%) at %at:rest%
rule=any:%program:char-to:[%[%pid:number%]: %message:rest%
";

pub(super) const ACCESS: &str = "version=2
rule=access:%remote:word% %ident:word% %user:word% [%time:char-to:]%] \"%method:word% %path:char-to: % %protocol:char-to:\"%\" %status:number{\"format\":\"number\"}% %size:number{\"format\":\"number\"}% %referer:quoted-string% %agent:quoted-string%
rule=access,empty:%remote:word% %ident:word% %user:word% [%time:char-to:]%] \"%method:word% %path:char-to: % %protocol:char-to:\"%\" %status:number{\"format\":\"number\"}% - %referer:quoted-string% %agent:quoted-string%
";
