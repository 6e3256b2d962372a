//! Rule bases by name, and over streams.

use sawlog_sys::{Open, Sys};

use super::*;

fn put(dir: &Path, name: &str, text: &str) {
    Sys::real().fs.open(&dir.join(name), Open::New).unwrap().write_at(text.as_bytes(), 0).unwrap();
}

#[test]
fn a_folder_has_rule_bases_by_name() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "apache.db", APACHE);
    put(dir.path(), "ssh.rulebase", "version=2\nrule=t:in %n:number{\"format\":\"number\"}%\n");
    put(dir.path(), "README", "nothing");
    let sys = Sys::real();
    let all = folder(&sys, dir.path()).unwrap();
    assert_eq!(all.names().collect::<Vec<_>>(), ["apache", "ssh"]);
    let mut found = Vec::new();
    let ssh = all.get("ssh").unwrap();
    assert!(ssh.normalize(b"in 7", &mut |name, value| found.push((name.to_owned(), value.clone()))));
    let tags = Value::List(vec![Value::Str("t".to_owned())]);
    assert_eq!(found, [("n".to_owned(), Value::Int(7)), ("event.tags".to_owned(), tags)]);
    assert!(!ssh.normalize(b"in x", &mut |name, _| panic!("{name}")));
    put(dir.path(), "ssh.rb", "rule=:x\n");
    assert!(folder(&sys, dir.path()).unwrap_err().contains("two rule bases called ssh"));
    let wrong = tempfile::tempdir().unwrap();
    put(wrong.path(), "wrong.rb", "rule\n");
    assert!(folder(&sys, wrong.path()).unwrap_err().contains("wrong.rb:1:1"));
    assert!(folder(&sys, &dir.path().join("none")).unwrap_err().contains("none"));
}

#[test]
fn a_stream_is_read_line_by_line_however_it_is_cut() {
    let base = base("version=2\nrule=:in %n:number%\n").unwrap();
    let text = "in 1\r\nout\n\nin 23";
    let all = "{\"n\":\"1\"}\n{\"originalmsg\":\"out\",\"unparsed-data\":\"out\"}\n\
               {\"originalmsg\":\"\",\"unparsed-data\":\"\"}\n{\"n\":\"23\"}\n";
    for room in 1..text.len() + 2 {
        let mut out = Vec::new();
        let from = std::io::BufReader::with_capacity(room, text.as_bytes());
        super::super::normalize(&base, from, &mut out, Which::All).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), all, "{room}");
    }
    let only = |which| {
        let mut out = Vec::new();
        super::super::normalize(&base, text.as_bytes(), &mut out, which).unwrap();
        String::from_utf8(out).unwrap().lines().count()
    };
    assert_eq!((only(Which::Normalized), only(Which::Others)), (2, 2));
}
