//! Fields of version 1 that are made of others, and lines for them.

use super::rules::{Case, as_it_stands};

/// Rule bases whose rules descend to others.
fn descending() -> Vec<Case> {
    let nets = "rule=net:%addr:ipv4% %tail:rest%\nrule=:%subnet:ipv4%/%mask:number% %tail:rest%\nannotate=net:+kind=\"host\"\n";
    let left = "rule=:%addr:ipv4% %left:rest%\nrule=:%subnet:ipv4%/%mask:number% %left:rest%\n";
    let blocked = [
        "blocked on gw-1 10.20.30.40 at 2014-12-08T08:53:33.05+05:30",
        "blocked on gw-1 10.20.30.40/16 at 2014-12-08T08:53:33.05+05:30",
        "blocked on gw-1 10.20.30 at 2014-12-08T08:53:33.05+05:30",
        "blocked on gw-1 at 2014-12-08T08:53:33.05+05:30",
        "blocked on gw-1 10.20.30.40",
    ];
    let with = |rules: &str, files: &[(&'static str, &'static str)], lines: &[&str]| Case {
        files: files.to_vec(),
        ..as_it_stands(rules, lines)
    };
    vec![
        with(
            "rule=:blocked on %device:word% %net:descent:./nets%at %tm:date-rfc5424%\n",
            &[("./nets", nets)],
            &blocked,
        ),
        with(
            "rule=t:blocked on %device:word% %net:descent:./nets:left%at %tm:date-rfc5424%\nannotate=t:+x=\"y\"\n",
            &[("./nets", left)],
            &blocked,
        ),
        // What is left is called otherwise than the rules call it.
        with("rule=:blocked on %device:word% %net:descent:./nets:foo%\n", &[("./nets", left)], &blocked),
        with(
            "rule=:blocked on %device:word% %net:descent:./a\\x3ab%at %tm:date-rfc5424%\n",
            &[("./a:b", nets)],
            &blocked,
        ),
        with(
            "rule=:%op:descent:./op:rest% on %device:word%\n",
            &[("./op", "rule=:%net:descent:./nets:left%%action:word%%rest:rest%\n"), ("./nets", left)],
            &["10.20.30.40 blocked on gw-1", "10.20.30.40/16 unblocked on gw-2", "10.20.30.40 blocked"],
        ),
        with(
            "rule=:in via: %via:ipv4% from: %all:tokenized:, :descent:./nets:left% to %server:ipv4%\n",
            &[("./nets", "rule=:%subnet:ipv4%/%mask:number%%left:rest%\nrule=s:%ip:ipv4%%left:rest%\n")],
            &[
                "in via: 192.168.1.1 from: 1.2.3.4, 5.6.16.0/12, 8.9.10.11 to 192.168.1.5",
                "in via: 192.168.1.1 from: 1.2.3.4 to 192.168.1.5",
                "in via: 192.168.1.1 from: 1.2.3.4, to 192.168.1.5",
                "in via: 192.168.1.1 from: x to 192.168.1.5",
            ],
        ),
    ]
}

fn recursive() -> Vec<Case> {
    let words = ["123 abc 456 def", "one", "one two", "", " ", "one  two", "one two "];
    let hosts = [
        "blocked on gw-1 10.20.30.40 at 2014-12-08T08:53:33.05+05:30",
        "blocked on gw-1 10.20.30.40/16 at 2014-12-08T08:53:33.05+05:30",
        "blocked on gw-1 nothing at 2014-12-08T08:53:33.05+05:30",
        "10.0.0.1 blocked on",
        "10.0.0.1",
    ];
    vec![
        as_it_stands("rule=:%word:word% %next:recursive%\nrule=:%word:word%\n", &words),
        as_it_stands("rule=a:%word:word% %next:recursive:foo%\nrule=b:%word:word%\n", &words),
        as_it_stands("rule=a:%word:word% %-:recursive%\nrule=b:%word:word%\n", &words),
        as_it_stands(
            "rule=x:blocked on %device:word% %net:recursive%at %tm:date-rfc5424%\nrule=y,z:%addr:ipv4% %tail:rest%\n\
             rule=:%subnet:ipv4%/%mask:number% %tail:rest%\nannotate=z:+more=\"1\"\n",
            &hosts,
        ),
        as_it_stands(
            "rule=:blocked on %device:word% %net:recursive:left%at %tm:date-rfc5424%\nrule=:%addr:ipv4% %left:rest%\n",
            &hosts,
        ),
        as_it_stands(
            "rule=:%subnet:ipv4%/%mask:number%%tail:rest%\nrule=:%ip:ipv4%%tail:rest%\n\
             rule=:in via: %via:ipv4% from: %all:tokenized:, :recursive% to %server:ipv4%\n",
            &[
                "in via: 192.168.1.1 from: 1.2.3.4, 5.6.16.0/12, 8.9.10.11, 16.17.18.0/8 to 192.168.1.5",
                "in via: 192.168.1.1 from: 1.2.3.4, nobody to 192.168.1.5",
                "in via: 192.168.1.1 from: ",
                "1.2.3.4/5",
            ],
        ),
    ]
}

fn tokenized() -> Vec<Case> {
    let numbers = ["1, 2, 3", "1, 2, 3 more", "1", "1,", "1, ", "1, x", "x", "", "1,2", "1, 2,3 4"];
    vec![
        as_it_stands(
            "rule=:%arr:tokenized: , :word% %more:rest%\n",
            &["123 , abc , 456 , def ijk789", "one", "a , b"],
        ),
        as_it_stands("rule=:%n:tokenized:, :number%\nrule=m:%n:tokenized:, :number% %more:rest%\n", &numbers),
        as_it_stands("rule=:%n:tokenized:, :number%%more:rest%\n", &numbers),
        as_it_stands(
            "rule=:x%n:tokenized:, :number%\nrule=:%n:tokenized:, :number%, x\n",
            &["x", "x1, 2", "1, 2, x", "1, x"],
        ),
        as_it_stands(
            "rule=:numbers: %n:tokenized:, :tokenized: \\x3a :tokenized:#:number%\n",
            &[
                "numbers: 10, 20 : 30#40#50 : 60#70#80, 90 : 100",
                "numbers: 1",
                "numbers: 1#",
                "numbers: x",
                "numbers: 1 : x",
            ],
        ),
        as_it_stands(
            "rule=:%arr:tokenized:\\x3a:number% %more:rest%\n",
            &["123:456:789 ijk789", "1: x", "1:2"],
        ),
        as_it_stands(
            "rule=:words: %arr:tokenized:; :char-sep:\\x3b%\n",
            &["words: aaa.org; bbb.com; ccc.net", "words: a;b", "words: ; ; x"],
        ),
        as_it_stands(
            "rule=:%q:tokenized:,:quoted-string% end\n",
            &["\"a\",\"b\" end", "\"a\" end", "\"\",\"x y\" end"],
        ),
    ]
}

fn interpreted() -> Vec<Case> {
    let texts = [
        "64",
        "-7",
        "+7",
        "0x1F",
        "1F",
        "ff",
        "12abc",
        "3.5",
        "1e3",
        "99.99",
        "true",
        "FALSE",
        "no",
        "Yes",
        "abc",
        "0",
        "-",
        "9999999999999",
        ".5",
        "5.",
        "0x",
    ];
    let lines: Vec<String> = texts.iter().map(|text| format!("<{text}> end")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut cases: Vec<Case> = ["int", "base10int", "base16int", "float", "bool"]
        .iter()
        .flat_map(|given| {
            let field = |kind: &str| format!("rule=:<%f:interpret:{given}:{kind}%> end\n");
            [field("char-to:>"), field("number"), field("float")].map(|rule| as_it_stands(&rule, &lines))
        })
        .collect();
    cases.push(as_it_stands(
        "rule=:record count for shard [%shard:interpret:base16int:char-to:]%] is %count:interpret:base10int:number% and \
         %percent:interpret:float:char-to:\\x25%\\x25ile latency is %latency:interpret:float:word% %unit:word%\n",
        &["record count for shard [3F] is 50000 and 99.99%ile latency is 2.1 seconds", "record count for shard [3F] is x"],
    ));
    cases.push(as_it_stands(
        "rule=:%n:interpret:int:word%\nrule=:%n:interpret:int:word% sessions\n",
        &["64", "64 sessions", ""],
    ));
    cases.push(as_it_stands(
        "rule=:max: %at:interpret:bool:word%\n",
        &["max: true", "max: no", "max: ", "max: x"],
    ));
    cases
}

fn suffixed() -> Vec<Case> {
    let lines = [
        "freed 559mb eden [95b/30.2mb]",
        "freed 559 mb eden [95b/30.2mb]",
        "freed 559tb eden [95b/30.2mb]",
        "freed mb eden [95b/30.2mb]",
        "freed 5b eden [kb/mb]",
        "freed 5kb eden [1gb/.5b]",
    ];
    let sizes = "%a:suffixed:,:b,kb,mb,gb:number% eden [%b:suffixed:;:kb;mb;gb;b:number%/%c:suffixed:|:b|kb|mb|gb:float%]";
    let named = "%a:named_suffixed:size:unit:,:b,kb,mb,gb:interpret:int:number% eden [%b:named_suffixed:s:s:;:kb;b:number%/%-:suffixed:,:mb,b:float%]";
    vec![
        as_it_stands(&format!("rule=:freed {sizes}\n"), &lines),
        as_it_stands(
            &format!("rule=:freed {named}\nrule=:freed %a:suffixed:,:tb:number% %r:rest%\n"),
            &lines,
        ),
        as_it_stands(
            "rule=:free: %free:named_suffixed:size:unit:\\x3a:gb\\x3a\\x25:interpret:int:number%\n",
            &["free: 12%", "free: 130gb", "free: 1x", "free: x"],
        ),
        as_it_stands(
            "rule=:space: %m:tokenized:,:named_suffixed:size:unit:,:mb,gb:interpret:int:number%\n",
            &["space: 400mb,40mb,1gb", "space: 400mb,40", "space: 1mb"],
        ),
        as_it_stands(
            "rule=:space: %m:named_suffixed:size:unit:,:mb,gb:tokenized:,:interpret:int:number%\n",
            &["space: 400,40,1024mb", "space: 1gb", "space: 1,gb"],
        ),
    ]
}

pub(super) fn nested() -> Vec<Case> {
    [descending(), recursive(), tokenized(), interpreted(), suffixed()].into_iter().flatten().collect()
}
