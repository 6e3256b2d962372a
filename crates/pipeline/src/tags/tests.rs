//! What fits which pattern, in both dialects.

use std::sync::Arc;

use proptest::prelude::*;
use sawlog_model::{Context, Source};

use super::*;

fn check(read: fn(&str) -> Result<TagPattern, String>, pattern: &str, fits: &[&str], not: &[&str]) {
    let pattern = read(pattern).expect("a pattern");
    for tag in fits {
        assert!(pattern.matches(tag), "{pattern:?} is to fit {tag:?}");
    }
    for tag in not {
        assert!(!pattern.matches(tag), "{pattern:?} is not to fit {tag:?}");
    }
}

#[test]
fn fluentds_patterns() {
    let check = |pattern, fits: &[&str], not: &[&str]| check(TagPattern::parse, pattern, fits, not);
    check("a", &["a"], &["", "ab", "a.b", "b"]);
    check("a.b", &["a.b"], &["a", "axb", "a.b.c"]);
    check("*", &["a", "abc"], &["a.b"]);
    check("a.*", &["a.b", "a.bcd"], &["a", "a.b.c", "ab", "b.a"]);
    check("a.*.c", &["a.b.c"], &["a.c", "a.b.b.c"]);
    check("ab*.c", &["ab.c", "abx.c"], &["a.c", "ab.x.c"]);
    check("**", &["", "a", "a.b.c"], &[]);
    check("a.**", &["a", "a.b", "a.b.c"], &["ab", "b", "b.a"]);
    check("a**", &["a", "ab", "a.b", "ab.c"], &["b"]);
    check("**.a", &["a", "b.a", "c.b.a"], &["ba", "a.b"]);
    check("a.**.c", &["a.c", "a.b.c", "a.b.b.c"], &["ac", "a.b", "abc", "a", "c"]);
    check("a.**c", &["a.c", "a.xc", "a.x.yc"], &["ac", "a"]);
    check("{a,b}", &["a", "b"], &["c", "a,b", "{a,b}"]);
    check("{a,b}.*", &["a.x", "b.x"], &["a", "c.x"]);
    check("x.{a,b.{c,d}}.y", &["x.a.y", "x.b.c.y", "x.b.d.y"], &["x.b.y", "x.c.y"]);
    check("{a.**,b}", &["a", "a.x", "b"], &["ab", "b.x"]);
    check("a b.** {c,d}", &["a", "b", "b.x", "c", "d"], &["a.b", "e"]);
    check("a **", &["anything.else"], &[]);
    check(r"a\*.b", &["a*.b"], &["ax.b"]);
    check("a-b_c.d+e", &["a-b_c.d+e"], &["a-b_c.dde"]);
    check(r"/a\d+\.(x|y)/", &["a1.x", "a22.y"], &["a.x", "ba1.x", "a1.xx"]);
    check("/a/ b", &["a", "b"], &["ab"]);
    check("a,b", &["a,b"], &["a"]);
    check("größe.*", &["größe.x"], &["grösse.x"]);
}

#[test]
fn iks_patterns() {
    let check = |pattern, fits: &[&str], not: &[&str]| check(TagPattern::parse_ik, pattern, fits, not);
    check("a.*", &["a.b", "a."], &["a", "a.b.c"]);
    check("**", &["", "a.b"], &[]);
    check("a.**", &["a.", "a.b.c"], &["a", "ab"]);
    check("**.a", &["a", "x.a", "x.y.a"], &["xa"]);
    check("x**.a", &["xy.a", "x.a"], &["xa"]);
    check("{a,{b,c}d}.e", &["a.e", "bd.e", "cd.e"], &["b.e"]);
    check("a b", &["a b"], &["a", "b"]);
    check(r"a\b", &[r"a\b"], &["ab"]);
}

#[test]
fn what_is_wrong_is_said() {
    let fails = |read: fn(&str) -> Result<TagPattern, String>, pattern: &str, words: &str| {
        let error = read(pattern).expect_err("not a pattern");
        assert!(error.contains(words), "{error}");
    };
    fails(TagPattern::parse, "  ", "missing");
    fails(TagPattern::parse, "{a,b", "a { without its }");
    fails(TagPattern::parse, "/a", "end it with /");
    fails(TagPattern::parse, "/(a/", "unclosed group");
    fails(TagPattern::parse, "a\\", "before nothing");
    fails(TagPattern::parse_ik, "", "missing");
    fails(TagPattern::parse_ik, "a.***", "***");
    fails(TagPattern::parse_ik, "{a", "a { without its }");
    fails(TagPattern::parse_ik, "a}", "a } without its {");
}

#[test]
fn the_tag_of_a_file_is_its_path() {
    let mut source = Source::default();
    source.facts.name = "/var/log/a.log".to_owned();
    let mut batch = Batch { source: Arc::new(source), ..Batch::default() };
    assert_eq!(tag_of(&batch), "var.log.a.log");
    batch.context = Arc::new(Context::new([("_path", "/x/y")]));
    assert_eq!(tag_of(&batch), "x.y");
    batch.context = Arc::new(Context::new([("_path", "/x/y"), ("_tag", "a.b")]));
    assert_eq!((tag_of(&batch).as_ref(), path_tag(&batch).as_ref()), ("a.b", "x.y"));
}

/// The meaning, part by part: slow and obvious. Only for patterns of whole parts.
fn fits_parts(pattern: &[String], tag: &[&str]) -> bool {
    match pattern.split_first() {
        None => tag.is_empty(),
        Some((part, rest)) if part == "**" => (0..=tag.len()).any(|skip| fits_parts(rest, &tag[skip..])),
        Some((part, rest)) => tag
            .split_first()
            .is_some_and(|(first, others)| (part == "*" || part == first) && fits_parts(rest, others)),
    }
}

proptest! {
    #[test]
    fn a_pattern_of_parts_means_what_its_parts_mean(
        pattern in proptest::collection::vec("a|b|\\*|\\*\\*", 1..5),
        tag in proptest::collection::vec("a|b|c", 1..6),
    ) {
        // Where two ** meet Fluentd asks for dots between them; that is no pattern anybody writes.
        prop_assume!(!pattern.windows(2).any(|pair| pair[0] == "**" && pair[1] == "**"));
        let parsed = TagPattern::parse(&pattern.join(".")).expect("a pattern");
        let parts: Vec<&str> = tag.iter().map(String::as_str).collect();
        prop_assert_eq!(parsed.matches(&tag.join(".")), fits_parts(&pattern, &parts));
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(text in ".{0,40}", tag in ".{0,20}") {
        if let Ok(pattern) = TagPattern::parse(&text) {
            pattern.matches(&tag);
            prop_assert_eq!(&TagPattern::parse(&pattern.to_string()), &Ok(pattern.clone()));
        }
        if let Ok(pattern) = TagPattern::parse_ik(&text) {
            pattern.matches(&tag);
        }
    }
}
