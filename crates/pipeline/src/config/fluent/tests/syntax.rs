//! The syntax of both versions, includes and embedded expressions.

use std::path::PathBuf;

use super::*;

fn around() -> Surroundings {
    let variable = |name: &str| match name {
        "PORT" => Some("24225".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    Surroundings { host: "web01".to_owned(), variable }
}

fn read_as(text: &str, compat: Compat) -> (Element, Vec<Finding>) {
    elements(&*Sys::real().fs, Path::new("/none/fluent.conf"), text, compat, &around())
}

fn read(text: &str) -> Element {
    let (root, findings) = read_as(text, Compat::Fluentd);
    assert_eq!(findings, [], "{text}");
    root
}

/// The values of a section that holds these lines.
fn values(lines: &str) -> Vec<(String, String)> {
    let root = read(&format!("<source>\n{lines}\n</source>\n"));
    root.children[0].pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect()
}

fn value(line: &str) -> String {
    let values = values(line);
    assert_eq!(values.len(), 1, "{values:?}");
    values[0].1.clone()
}

fn wrong(text: &str) -> Vec<(usize, String)> {
    let (_, findings) = read_as(text, Compat::Fluentd);
    findings.into_iter().map(|finding| (finding.line, finding.message)).collect()
}

#[test]
fn sections_stand_in_sections_with_arguments_and_lines() {
    let root = read(
        "# first\n<source>\n  @type tail # a comment\n  <parse>\n    @type none\n  </parse>\n</source>\n\n\
         <match a.** {b,c}.*  >\n  @type stdout\n</match>\n<label @X>\n  <match \"d.#{hostname}\">\n  </match>\n</label>",
    );
    let names: Vec<_> =
        root.children.iter().map(|child| (&*child.name, &*child.argument, child.line)).collect();
    assert_eq!(names, [("source", "", 2), ("match", "a.** {b,c}.*", 9), ("label", "@X", 12)]);
    let source = &root.children[0];
    assert_eq!((source.get("@type"), source.pairs[0].line), (Some("tail"), 3));
    assert_eq!((&*source.children[0].name, source.children[0].line), ("parse", 4));
    assert_eq!(root.children[2].children[0].argument, "d.web01");
}

#[test]
fn values_are_plain_quoted_or_json() {
    assert_eq!(value("path /var/log/a#b.log   # rotated"), "/var/log/a#b.log");
    assert_eq!(value("format /^(?<a>[^ ]*) \"(?<b>x)\"$/"), "/^(?<a>[^ ]*) \"(?<b>x)\"$/");
    assert_eq!(value("k \"a\\n\\t\\\"#x\\\\\" # c"), "a\n\t\"#x\\");
    assert_eq!(value("k 'a\\n\\'#{hostname}'"), "a\\n'#{hostname}");
    assert_eq!(value("k \"two\nlines\""), "two\nlines");
    assert_eq!(value("k \"one \\\nline\""), "one line");
    assert_eq!(value("k [\n  \"a\", # first\n  \"b#]\"\n]"), "[   \"a\",    \"b#]\" ]");
    assert_eq!(value("k {\"a\": {\"b\": [1]}} # c"), "{\"a\": {\"b\": [1]}}");
    assert_eq!(
        values("read_from_head\ntag a"),
        [("read_from_head".into(), String::new()), ("tag".into(), "a".into())]
    );
    assert_eq!(value("tag a\r"), "a");
}

#[test]
fn expressions_are_the_few_that_are_known() {
    assert_eq!(value("port \"#{ENV['PORT']}\""), "24225");
    assert_eq!(value("k \"x-#{ENV[\"NONE\"] || 'y'}-#{Socket.gethostname}\""), "x-y-web01");
    assert_eq!(
        value("k \"#{ENV.fetch('NONE') { \"z\" }}#{ENV.fetch('PORT', '1')}#{ENV.fetch('NONE', 2)}\""),
        "z242252"
    );
    assert_eq!(value("k \"#{ENV['NONE']}#{worker_id}#{ENV['EMPTY'] || 'x'}\""), "0");
    assert_eq!(value("k [\"#{hostname}\", \"\\\"\"]"), "[\"web01\", \"\\\"\"]");
    assert_eq!(value("k a#{hostname}"), "a#{hostname}", "only texts in double quotes are looked into");
    assert_eq!(values("k \"#{ENV['NONE'] || use_default}\"\nl \"#{use_nil}\""), []);
    assert_eq!(value("k \"#{ENV['PORT'] || use_nil}\""), "24225");
    for code in
        ["File.read('/etc/x')", "ENV['A'].downcase", "ENV['PORT'] || system('x')", "1 + 1", "\"#{x}\"", ""]
    {
        let told = wrong(&format!("<source>\n\nk \"#{{{code}}}\"\n</source>"));
        assert_eq!(told.len(), 1, "{code}: {told:?}");
        assert!(told[0].0 == 3 && told[0].1.contains("write ENV['NAME']"), "{told:?}");
    }
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let told = wrong(
        "stray x\n<source>\n  k \"a\" b\n  l \"\\q\"\n  m [1,\n  2}]\n<match>\n</source>\n</filter>\n<parse\n<source>\n",
    );
    let lines: Vec<usize> = told.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 8, 9, 10, 11], "{told:#?}");
    let parts =
        ["in no section", "behind the value of `k`", "`\\q` is no escape", "not JSON", "closes the <match>"];
    for (part, (_, message)) in parts.iter().zip(&told) {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_text_without_an_end_is_told_where_it_begins() {
    let told = wrong("<source>\nk \"a\nl b\n</source>");
    assert_eq!((told[0].0, told[0].1.contains("double quotes has no end")), (2, true), "{told:?}");
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn new(files: &[(&str, &str)]) -> Dir {
        let (dir, fs) = (tempfile::tempdir().unwrap(), Sys::real().fs);
        for (name, text) in files {
            let path = dir.path().join(name);
            fs.create_dir_all(path.parent().unwrap()).unwrap();
            let file = fs.open(&path, sawlog_sys::Open::Create).unwrap();
            file.write_at(text.as_bytes(), 0).unwrap();
        }
        Dir(dir)
    }

    fn read(&self) -> (Element, Vec<Finding>) {
        let (path, fs) = (self.0.path().join("fluent.conf"), Sys::real().fs);
        let text = block::read_text(&*fs, &path).unwrap();
        elements(&*fs, &path, &text, Compat::Fluentd, &around())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn includes_are_relative_sorted_and_also_stand_in_sections() {
    let dir = Dir::new(&[
        (
            "fluent.conf",
            "@include conf.d/*.conf\n<match **>\n  @type copy\n  @include stores/s.inc\n</match>\ninclude old.conf\n",
        ),
        ("conf.d/b.conf", "<source>\n@type b\n</source>\n@include \"deep/[cd].conf\"\n"),
        ("conf.d/a.conf", "<source>\n@type a\n</source>"),
        ("conf.d/.hidden.conf", "<source>\n</source>"),
        ("conf.d/deep/d.conf", "<source>\n@type d\n</source>"),
        ("conf.d/deep/e.conf", "<source>\n@type e\n</source>"),
        ("stores/s.inc", "# stores\n<store>\n@type null\n</store>\nignore x\n"),
        ("old.conf", "<source>\n@type old\n</source>"),
    ]);
    let (root, findings) = dir.read();
    assert_eq!(findings, []);
    let kinds: Vec<_> = root.children.iter().map(|child| child.get("@type").unwrap()).collect();
    assert_eq!(kinds, ["a", "b", "d", "copy", "old"]);
    assert_eq!(*root.children[2].file, dir.path("conf.d/deep/d.conf"));
    let copy = &root.children[3];
    assert_eq!(
        (copy.children[0].get("@type"), copy.get("ignore"), copy.children[0].line),
        (Some("null"), Some("x"), 2)
    );
}

#[test]
fn includes_that_cannot_be_are_told() {
    let dir = Dir::new(&[
        ("fluent.conf", "@include a.conf\n@include none.conf\n@include none*.conf\n@include http://x/y\n"),
        ("a.conf", "<source>\n  wrong \"\\q\"\n</source>\n@include fluent.conf\n"),
    ]);
    let (_, findings) = dir.read();
    let told: Vec<_> =
        findings.iter().map(|f| (f.file.file_name().unwrap().to_str().unwrap(), f.line, f.note)).collect();
    assert_eq!(
        told,
        [
            ("a.conf", 2, false),
            ("a.conf", 4, false),
            ("fluent.conf", 2, false),
            ("fluent.conf", 3, true),
            ("fluent.conf", 4, false)
        ]
    );
    assert!(findings[1].message.contains("includes itself"), "{}", findings[1].message);
}

#[test]
fn the_old_syntax_has_no_quotes_and_may_end_early() {
    let text =
        "<source>\n  type tail\n  format /\"(?<a>x)/ # c\n  tag \"a\n</source>\n<match **>\n  type stdout\n";
    let (root, findings) = read_as(text, Compat::Ik);
    assert_eq!(findings, []);
    assert_eq!(
        (root.children[0].get("format"), root.children[0].get("tag")),
        (Some("/\"(?<a>x)/"), Some("\"a"))
    );
    assert_eq!(read_as(text, Compat::FluentdV0).1.len(), 1, "Fluentd wants the closing tag");
}

#[test]
fn blanks_of_other_kinds_are_characters_of_a_pattern() {
    let root = read("<match a\u{b}b \u{a0}c>\n</match>\n");
    assert_eq!(root.children[0].argument, "a\u{b}b \u{a0}c");
}
