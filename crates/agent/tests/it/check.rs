//! `sawlog-agent check`: what it tells, and with which exit code.

use super::agent;

const CONF: &str = "<source>\n@type forward\nport 24999\n</source>\n<filter app.**>\n@type grep\n<regexp>\n\
    key level\npattern error\n</regexp>\n</filter>\n<match **>\n@type stdout\n</match>\n";

const TESTS: &str = "[[test]]\nname = \"errors stay\"\ntag = \"app.x\"\nrecord = { level = \"error\" }\n\
    [[test.expect]]\noutput = \"stdout\"\ntag = \"app.x\"\nrecord = { level = \"error\" }\n\
    [[test]]\nname = \"the rest goes\"\ntag = \"app.x\"\nrecord = { level = \"info\" }\ndropped = true\n";

#[test]
fn runs_tests_beside_a_configuration_and_fails_where_one_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("it is written");
    put("fluent.conf", CONF);
    put("good.toml", TESTS);
    put("bad.toml", &TESTS.replace("dropped = true", "expect = [{ record = { level = \"info\" } }]"));
    let check = |arguments: &[&str]| {
        let output = agent(dir.path(), &[&["check", "-c", "fluent.conf"], arguments].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let told = "ok    errors stay\nok    the rest goes\n2 tests passed\n".to_owned();
    assert_eq!(check(&["--test", "good.toml"]), (Some(0), told, String::new()));
    let (code, out, errors) = check(&["--test", "good.toml", "--test", "bad.toml"]);
    assert_eq!(code, Some(1));
    assert!(
        out.ends_with("FAIL  the rest goes (bad.toml:9)\n      did not come\n      - level: \"info\"\n"),
        "{out}"
    );
    assert_eq!(errors, "sawlog-agent: 1 of 4 tests failed\n");
    let (code, _, errors) = check(&["--test"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("fluent.conf: there are no tests"), "{errors}");
    let (code, out, _) = check(&[]);
    assert_eq!((code, out.as_str()), (Some(0), "fluent.conf: 1 inputs and 1 outputs, nothing wrong\n"));
}

#[test]
fn the_filter_remap_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let refused = "it runs in `sawlog` and not in `sawlog-agent`: forward the rows";
    for (name, text) in [
        ("a.toml", "[[filter]]\ntype = \"remap\"\nsource = \".a = 1\"\n"),
        ("b.conf", "<filter>\n@type remap\nsource .a = 1\n</filter>\n"),
    ] {
        std::fs::write(dir.path().join(name), text).expect("it is written");
        let output = agent(dir.path(), &["check", "-c", name]);
        let errors = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success());
        assert!(
            errors.contains(&format!("{name}:2: ")) || errors.contains(&format!("{name}:1: ")),
            "{errors}"
        );
        assert!(errors.contains(refused), "{errors}");
    }
}
