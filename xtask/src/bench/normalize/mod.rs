//! Rule bases: `sawlog-agent normalize` beside Debian's `lognormalizer`, the same rules and the same real lines from standard input,
//! JSON to nowhere. Each figure is the median of three rounds, in each of which both have their turn.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Bench, cost};
use crate::needs;

/// Rounds that are measured.
const ROUNDS: usize = 3;
/// Bytes of lines that are read in each.
const ENOUGH: usize = 200 << 20;

/// What is read: name, rules, files below the logs, and what stands before each line.
const JOBS: &[(&str, &str, &[&str], &str)] = &[
    (
        "Meniscus's own rule (version 1), access log",
        include_str!("apache.rulebase"),
        &["elastic_examples/apache_logs"],
        " ",
    ),
    (
        "41 rules for sshd, PAM, cron, kernel, postfix … (version 2), system logs",
        include_str!("syslog.rulebase"),
        &["loghub_full/Linux.log", "loghub/OpenSSH/OpenSSH_2k.log", "elastic_examples/auth.log"],
        "",
    ),
];

pub(super) fn run(bench: &Bench) -> Result<()> {
    needs::debian(&["lognormalizer"], &["liblognorm-utils"])?;
    println!("\n### Rule bases\n");
    println!(
        "| rules and lines | lines | of a rule | lognormalizer CPU s | sawlog CPU s | lines per CPU s | ratio |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (number, (name, rules, files, before)) in JOBS.iter().enumerate() {
        let rulebase = bench.scratch.join(format!("{number}.rulebase"));
        std::fs::write(&rulebase, rules)?;
        let (lines, count) = lines(bench, &bench.scratch.join(format!("{number}.log")), files, before)?;
        let (theirs, ours) = (
            format!("lognormalizer -r '{}' -e json -T", rulebase.display()),
            format!("'{}' normalize -r '{}'", bench.agent.display(), rulebase.display()),
        );
        let others = format!("{ours} < '{}' | grep -c '^{{\"originalmsg\"'", lines.display());
        let others = std::process::Command::new("sh").args(["-c", &others]).output()?;
        let others: usize = String::from_utf8(others.stdout)?.trim().parse()?;
        let mut seconds = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (program, seconds) in [&theirs, &ours].into_iter().zip(&mut seconds) {
                let command = format!("{program} < '{}' > /dev/null", lines.display());
                seconds.push(cost(&["sh", "-c", &command])?.cpu);
            }
        }
        let [theirs, ours] = seconds.map(median);
        println!(
            "| {name} | {count} | {:.1} % | {theirs:.2} | {ours:.2} | {:.0} | {:.1} |",
            100.0 * (count - others) as f64 / count as f64,
            count as f64 / ours,
            theirs / ours
        );
    }
    Ok(())
}

/// Writes the lines of the files again and again until it is enough; gives the file and how many there are.
fn lines(bench: &Bench, to: &Path, files: &[&str], before: &str) -> Result<(PathBuf, usize)> {
    let mut once = Vec::new();
    for name in files {
        let path = bench.logs.join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        for line in
            bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty())
        {
            once.extend_from_slice(before.as_bytes());
            once.extend_from_slice(line);
            once.push(b'\n');
        }
    }
    let times = ENOUGH.div_ceil(once.len().max(1));
    std::fs::write(to, once.repeat(times))?;
    Ok((to.to_owned(), times * once.iter().filter(|byte| **byte == b'\n').count()))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
