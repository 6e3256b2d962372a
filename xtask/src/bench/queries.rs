//! Ten questions over one set each, beside ripgrep on the raw files and VictoriaLogs: best of five, whole command for
//! sawlog and ripgrep; for VictoriaLogs the request to a server that runs already, which favours it.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::import::Stored;
use super::{Bench, best, victoria};
use crate::needs;

/// Set, what is asked, in sawlog's words, as ripgrep's arguments (`None`: it cannot), and in LogsQL.
struct Question {
    set: &'static str,
    what: &'static str,
    sawlog: &'static str,
    rg: Option<&'static [&'static str]>,
    logsql: &'static str,
}

const QUESTIONS: &[Question] = &[
    Question {
        set: "iotdb",
        what: "count of a common word",
        sawlog: "flush | stats count() as n",
        rg: Some(&["-w", "-i", "-c", "flush"]),
        logsql: "i(flush) | stats count()",
    },
    Question {
        set: "iotdb",
        what: "count of a rare word",
        sawlog: "ReleaseQueryResource | stats count() as n",
        rg: Some(&["-w", "-c", "ReleaseQueryResource"]),
        logsql: "ReleaseQueryResource | stats count()",
    },
    Question {
        set: "iotdb",
        what: "a word that is nowhere",
        sawlog: "xyzzyplugh",
        rg: Some(&["-w", "xyzzyplugh"]),
        logsql: "xyzzyplugh",
    },
    Question {
        set: "iotdb",
        what: "newest 100 of a word",
        sawlog: "raft | limit 100",
        rg: Some(&["-w", "-i", "-m", "100", "raft"]),
        logsql: "raft | sort by (_time desc) limit 100",
    },
    Question {
        set: "iotdb",
        what: "count of a phrase",
        sawlog: "\"update pid\" | stats count() as n",
        rg: Some(&["-w", "-i", "-c", "update pid"]),
        logsql: "i(\"update pid\") | stats count()",
    },
    Question {
        set: "iotdb",
        what: "count of a regular expression",
        sawlog: "/raft.*timeout.*1[0-9]{3}/ | stats count() as n",
        rg: Some(&["-c", "raft.*timeout.*1[0-9]{3}"]),
        logsql: "~\"raft.*timeout.*1[0-9]{3}\" | stats count()",
    },
    Question {
        set: "iotdb",
        what: "count by level",
        sawlog: "* | stats count() as n by (level)",
        rg: None,
        logsql: "* | extract \" <level> \" | stats by (level) count()",
    },
    Question {
        set: "nginx",
        what: "count of an address",
        sawlog: "\"187.140.221.49\" | stats count() as n",
        rg: Some(&["-w", "-F", "-c", "187.140.221.49"]),
        logsql: "\"187.140.221.49\" | stats count()",
    },
    Question {
        set: "zeek",
        what: "lines with a field's value",
        sawlog: "id.orig_h:=10.47.2.100 | stats count() as n",
        rg: Some(&["-F", "-c", "\"id.orig_h\":\"10.47.2.100\""]),
        logsql: "\"id.orig_h\":=\"10.47.2.100\" | stats count()",
    },
    Question {
        set: "zeek",
        what: "ten most frequent values of a field",
        sawlog: "* | top 10 id.resp_p",
        rg: None,
        logsql: "* | top 10 by (id.resp_p)",
    },
];

pub(super) fn run(bench: &Bench, stores: &[Stored]) -> Result<()> {
    println!("\n### Queries, milliseconds (best of five)\n");
    println!("| set | question | sawlog | rg | VictoriaLogs | sawlog / rg | sawlog / VictoriaLogs |");
    println!("|---|---|---|---|---|---|---|");
    let rg = needs::has("rg");
    if !rg {
        eprintln!("LEFT OUT: rg is not on the PATH");
    }
    for stored in stores {
        let peer = stored.victoria.as_ref().map(|peer| victoria::Peer::start(&peer.folder)).transpose()?;
        for question in QUESTIONS.iter().filter(|question| question.set == stored.name) {
            let (sawlog, data) = (bench.sawlog.to_string_lossy(), stored.sawlog.to_string_lossy());
            let ours = best(5, &[&sawlog, "search", question.sawlog, "--json", "--data", &data])?.wall;
            let theirs = match question.rg.filter(|_| rg) {
                Some(arguments) => {
                    let raw = stored.raw.to_string_lossy();
                    Some(best(5, &[&["rg", "--no-ignore", "-a"], arguments, &[&*raw]].concat())?.wall)
                }
                None => None,
            };
            let victoria = peer.as_ref().map(|peer| ask(peer, question.logsql)).transpose()?;
            let ms = |seconds: Option<f64>| seconds.map_or("–".to_owned(), |s| format!("{:.0}", s * 1e3));
            let to =
                |other: Option<f64>| other.map_or("–".to_owned(), |s| format!("{:.2}", ours / s.max(1e-4)));
            println!(
                "| {} | {} | {:.0} | {} | {} | {} | {} |",
                stored.name,
                question.what,
                ours * 1e3,
                ms(theirs),
                ms(victoria),
                to(theirs),
                to(victoria)
            );
        }
    }
    Ok(())
}

fn ask(peer: &victoria::Peer, logsql: &str) -> Result<f64> {
    let mut query = String::new();
    for byte in logsql.bytes() {
        query.push_str(&format!("%{byte:02X}"));
    }
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        peer.get(&format!("/select/logsql/query?query={query}"))?;
        fastest = fastest.min(start.elapsed());
    }
    Ok(fastest.as_secs_f64())
}
