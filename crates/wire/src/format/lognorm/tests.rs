//! What liblognorm's own program says of the same lines, what it said once, and what is wrong in rule bases.

mod documented;
mod named;
mod nested;
mod oracle;
mod rules;

use std::collections::HashMap;

use sawlog_model::value::{self, parse_json};

use super::*;

/// A rule base of a text.
pub(super) fn base(text: &str) -> Result<RuleBase, RuleError> {
    base_of(text, &[])
}

/// The same where it names others.
pub(super) fn base_of(text: &str, files: &[(&str, &str)]) -> Result<RuleBase, RuleError> {
    let load = |name: &str| {
        let file = files.iter().find(|(have, _)| *have == name).map(|(_, text)| *text);
        let text = if name == "main" { Some(text) } else { file };
        text.map(|text| text.as_bytes().to_vec()).ok_or_else(|| format!("there is no {name}"))
    };
    RuleBase::compile("main", &load, Limits::default())
}

/// What is made of a line, as JSON.
pub(super) fn json(base: &RuleBase, line: &str) -> String {
    let mut text = Vec::new();
    value::render(&base.normalize(line.as_bytes(), &mut Memory::default()), &mut text);
    String::from_utf8(text).unwrap()
}

/// A value of JSON whose objects are in order of their keys, of one key the last.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Map(entries) => {
            let mut sorted: Vec<(Value, Value)> = Vec::new();
            for (key, value) in entries {
                sorted.retain(|(have, _)| *have != key);
                sorted.push((key, self::sorted(value)));
            }
            sorted.sort_by(|(one, _), (other, _)| one.as_str().cmp(&other.as_str()));
            Value::Map(sorted)
        }
        Value::List(list) => Value::List(list.into_iter().map(self::sorted).collect()),
        other => other,
    }
}

fn same(have: &str, wanted: &str) {
    let read = |text: &str| sorted(parse_json(text.as_bytes(), &Limits::default()).unwrap());
    assert_eq!(read(have), read(wanted), "{have}");
}

const SSH: &str = r#"version=2
type=@ip:%..:ipv4%
type=@ip:%..:ipv6%
prefix=%date:date-rfc3164% %host:word% 
rule=ssh,fail:sshd[%pid:number{"format":"number"}%]: Invalid user %user:word% from %src:@ip%
rule=kv:kv %.:name-value-list%
rule=nums:n %{"name":"numbers","type":"repeat","parser":{"type":"number","name":"n"},"while":{"type":"literal","text":", "}}% end
annotate=ssh:+facility="auth"
"#;

#[test]
fn what_liblognorm_said() {
    let base = base(SSH).unwrap();
    for (line, wanted) in [
        (
            "Nov 20 23:25:54 vm sshd[123]: Invalid user bob from 10.0.0.7",
            r#"{ "src": "10.0.0.7", "user": "bob", "pid": 123, "host": "vm", "date": "Nov 20 23:25:54", "event.tags": [ "ssh", "fail" ], "facility": "auth" }"#,
        ),
        (
            "Nov 20 23:25:54 vm sshd[123]: Invalid user bob from fe80::1",
            r#"{ "src": "fe80::1", "user": "bob", "pid": 123, "host": "vm", "date": "Nov 20 23:25:54", "event.tags": [ "ssh", "fail" ], "facility": "auth" }"#,
        ),
        (
            "Nov 20 23:25:54 vm kv a=1 b=two c=x.y",
            r#"{ "a": "1", "b": "two", "c": "x.y", "host": "vm", "date": "Nov 20 23:25:54", "event.tags": [ "kv" ] }"#,
        ),
        (
            "Nov 20 23:25:54 vm n 1, 2, 30 end",
            r#"{ "numbers": [ { "n": "1" }, { "n": "2" }, { "n": "30" } ], "host": "vm", "date": "Nov 20 23:25:54", "event.tags": [ "nums" ] }"#,
        ),
        ("nope at all", r#"{ "originalmsg": "nope at all", "unparsed-data": "nope at all" }"#),
        ("Nov 20 23:25:54 vm zzz", r#"{ "originalmsg": "Nov 20 23:25:54 vm zzz", "unparsed-data": "zzz" }"#),
    ] {
        same(&json(&base, line), wanted);
    }
}

/// The rule that Meniscus came with, in its own version.
pub(super) const APACHE: &str = "rule=: %remote_host:ipv4% %a:word% %b:word% [%timestamp:char-to:]%] \"%method:word% %uri:word% \
     %http_version:char-to:\"%\" %status_code:word% %bytes:word% %url:quoted-string% %user_agent:quoted-string%\n";

#[test]
fn meniscus_own_rule() {
    let base = base(APACHE).unwrap();
    let line = " 127.0.0.1 - - [03/Dec/2013:16:29:19 +0700] \"GET /favicon.ico HTTP/1.1\" 404 198 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"";
    same(
        &json(&base, line),
        r#"{ "user_agent": "Mozilla\/5.0 (X11; Linux x86_64)", "url": "-", "bytes": "198", "status_code": "404", "http_version": "HTTP\/1.1", "uri": "\/favicon.ico", "method": "GET", "timestamp": "03\/Dec\/2013:16:29:19 +0700", "b": "-", "a": "-", "remote_host": "127.0.0.1" }"#,
    );
    // In the order of the line.
    assert!(json(&base, line).starts_with(r#"{"remote_host":"127.0.0.1","a":"-""#));
}

#[test]
fn rule_bases_include_others() {
    let files: HashMap<&str, &str> = HashMap::from([
        ("main", "version=2\nprefix=a \ninclude=more\nrule=:%x:word%\n"),
        ("more", "version=2\nextendprefix=b \nrule=tag:%y:number%\nannotate=tag:+n=\"1\" +m=\"2\"\n"),
        ("loop", "version=2\ninclude=loop\n"),
        ("old", "version=2\ninclude=first\n"),
        ("first", "rule=:x\n"),
    ]);
    let load =
        |name: &str| files.get(name).map(|text| text.as_bytes().to_vec()).ok_or("not there".to_owned());
    let base = RuleBase::compile("main", &load, Limits::default()).unwrap();
    assert_eq!(base.len(), 2);
    same(&json(&base, "a b 7"), r#"{"y":"7","event.tags":["tag"],"n":"1","m":"2"}"#);
    same(&json(&base, "a b x"), r#"{"x":"x"}"#);
    let wrong = |name: &str| RuleBase::compile(name, &load, Limits::default()).unwrap_err().to_string();
    assert!(wrong("loop").contains("include one another"), "{}", wrong("loop"));
    assert_eq!(wrong("old"), "first:1:1: this is of version 1, and what includes it of version 2");
    assert!(wrong("none").contains("not there"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, wanted) in [
        ("version=2\nrule=:a %x:wrod% b\n", "main:2:9: there is no type `wrod`; did you mean `word`?"),
        ("version=2\n\n# x\nrule=:a%x:@ip%\n", "main:4:8: there is no type `@ip` before this line"),
        ("version=2\nrule=:a%x:number{\"maxval\":}%\n", "main:2:17:"),
        ("version=2\nrule=:a%x:number{\"max\":1}%\n", "main:2:8: `number` has no parameter `max`"),
        ("version=2\nprefix=%a:wrod% \nrule=:b\n", "main:2:8: there is no type `wrod`"),
        ("version=2\nrule=:%a\nrule=:b\n", "main:2:1: this rule goes on in a line that begins with rule="),
        ("version=2\nrule=:%a\n", "main:2:1: a field is not closed by %"),
        ("version=2\nrulee=:a\n", "main:2:1: there is no `rulee=`"),
        ("version=2\nrule=a\n", "main:2:1: a rule is written as"),
        ("version=2\nrule=a:\n", "main:2:7: the rule has no description"),
        ("version=2\ntype=ip:x\n", "main:2:1: a type is written as"),
        ("version=2\nannotate=a:-b=\"c\"\n", "main:2:12: here should stand +FIELD"),
        ("version=2\nannotate=:+b=\"c\"\n", "main:2:1: an annotation is written as"),
        ("version=2\nnothing\n", "main:2:1: a line is rule="),
        ("version=2\nrule=:%x:char-to%\n", "main:2:7: `char-to` needs `extradata`, a text"),
        (
            "version=2\nrule=:%{\"type\":\"repeat\",\"name\":\"a\"}%\n",
            "main:2:7: `repeat` needs `parser` and `while`",
        ),
        (
            "version=2\nrule=:%{\"type\":\"alternative\",\"parser\":{}}%\n",
            "main:2:7: `alternative` needs a list",
        ),
        ("version=2\nrule=:%{\"name\":\"a\"}%\n", "main:2:7: a field needs a `type`"),
        ("rule=:%x:regex:(a%\n", "main:1:7: `(a`: unclosed group"),
        ("rule=:%x:regex:(?=a)%\n", "main:1:7: `(?=a)`: look-around"),
        ("rule=:%x:regex:a:1%\n", "main:1:7: such a field is written as %NAME:regex:EXPRESSION"),
        ("rule=:%x:regex%\n", "main:1:7: such a field is written as %NAME:regex:EXPRESSION"),
        (
            "version=2\nrule=:%x:tokenized:,:word%\n",
            "main:2:7: the type `tokenized` is one of version 1 only",
        ),
        ("rule=:%x:tokenized%\n", "main:1:7: such a field is written as %NAME:tokenized:BETWEEN:TYPE%"),
        ("rule=:%x:tokenized:,:%\n", "main:1:7: such a field is written as"),
        ("rule=:%x:tokenized:,:wrod%\n", "main:1:7: there is no type `wrod`; did you mean `word`?"),
        ("rule=:%x:interpret:in:word%\n", "main:1:7: `interpret` reads as int, base10int"),
        ("rule=:%x:interpret:int%\n", "main:1:7: such a field is written as %NAME:interpret:AS:TYPE%"),
        ("rule=:%x:suffixed:,:kb,mb%\n", "main:1:7: such a field is written as %NAME:suffixed:DELIMITERS"),
        ("rule=:%x:suffixed:,:,,:word%\n", "main:1:7: such a field is written as"),
        ("rule=:%x:named_suffixed:a:b%\n", "main:1:7: such a field is written as %NAME:named_suffixed:VALUE"),
        ("rule=:%x:descent%\n", "main:1:7: such a field is written as %NAME:descent:FILE:REST%"),
        ("rule=:a\nrule=:%x:descent:./none%\n", "main:2:1: ./none: there is no ./none"),
        ("rule=:%x:json{}%\n", "main:1:7: there is no type `json{}`"),
    ] {
        let have = base(text).unwrap_err().to_string();
        assert!(have.starts_with(wanted), "{have}\n{wanted}");
    }
}

#[test]
fn everything_is_bounded() {
    let many = format!("version=2\nrule=:{}\n", "%-:word% ".repeat(PARTS_MOST + 1));
    assert!(base(&many).unwrap_err().message.contains("fields"));
    let long = format!("version=2\nrule=:{}\n", "x".repeat(RULE_MOST));
    assert!(base(&long).unwrap_err().message.contains("bytes"));
    // A type that is itself goes on without end, but for the depth.
    let own = base("version=2\ntype=@a:x%y:number%\ntype=@a:%z:@a%\nrule=:%.:@a%\n").unwrap();
    same(&json(&own, "x7"), r#"{"y":"7"}"#);
    same(&json(&own, "q"), r#"{"originalmsg":"q","unparsed-data":"q"}"#);
    // Two to the number of words ways: what was tried in vain is remembered.
    let rule = "%{\"type\":\"alternative\",\"parser\":[{\"type\":\"word\",\"name\":\"a\"},{\"type\":\"char-to\",\"extradata\":\" \",\"name\":\"b\"}]}% ";
    let ways = base(&format!("version=2\nrule=:{}end\n", rule.repeat(40))).unwrap();
    let line = "w ".repeat(40) + "other";
    same(&json(&ways, &line), &format!(r#"{{"originalmsg":"{line}","unparsed-data":" other"}}"#));
    // Fields that are made of themselves have an end, also where each could be read in two ways.
    let own =
        base("rule=:%a:word% %b:recursive%\nrule=:%a:char-sep: % %c:recursive%\nrule=:%a:word%!\n").unwrap();
    assert!(json(&own, &"w ".repeat(60)).contains("\"a\":\"w\""));
    let deep = format!("rule=:%x:{}word%\n", "tokenized:,:".repeat(NESTED_MOST + 1));
    assert!(base(&deep).unwrap_err().message.contains("stand in one another"));
    let around = base_of(
        "rule=:x%a:descent:a%\n",
        &[("a", "rule=:y%b:descent:b%\n"), ("b", "rule=:z%c:descent:a%\n")],
    );
    same(&json(&around.unwrap(), "xyzy"), r#"{"a":{"b":{"c":{"b":""}}}}"#);
    // Repetitions have an end.
    let repeat = r#"%{"name":"n","type":"repeat","parser":{"type":"char-sep","extradata":",","name":"."},"while":{"type":"literal","text":","}}%"#;
    let list = base(&format!("version=2\nrule=:{repeat}\n")).unwrap();
    same(&json(&list, "a,b,,c"), r#"{"n":["a","b","","c"]}"#);
    assert!(json(&list, &",".repeat(5000)).contains("unparsed-data"));
}

/// Debian's liblognorm is built without them: what its documentation says of them counts.
#[test]
fn regular_expressions() {
    let base = |rules: &str| base(rules).unwrap();
    same(
        &json(
            &base("rule=:%first:regex:[a-z]+% %second:regex:\\d+\\x25\\x3a[a-f0-9]+\\x25%\n"),
            "foo 122%:7a%",
        ),
        r#"{"first":"foo","second":"122%:7a%"}"#,
    );
    let groups =
        base("rule=:%worth:regex:(sales (\\d+)k with) margin:1:2% %percent:regex:margin (\\d+)\\x25:0:1%\n");
    same(&json(&groups, "sales 200k with margin 6%"), r#"{"worth":"200","percent":"6"}"#);
    let list = base(
        "rule=:hostnames are %h:tokenized:, :regex:[^, ]+%\nrule=:n %n:interpret:int:regex:\\d+% %r:rest%\n",
    );
    same(
        &json(&list, "hostnames are foo.bar, bar.baz, baz.quux"),
        r#"{"h":["foo.bar","bar.baz","baz.quux"]}"#,
    );
    same(&json(&list, "n 12 x"), r#"{"n":12,"r":"x"}"#);
    let bytes = RuleBase::normalize(&list, b"hostnames are \xff\xfe, b", &mut Memory::default());
    assert!(bytes.get("h").is_some());
    // A group must begin where the field does.
    let later = base("rule=:%a:regex:x(y):1%%r:rest%\n");
    same(&json(&later, "xy"), r#"{"originalmsg":"xy","unparsed-data":"xy"}"#);
}
