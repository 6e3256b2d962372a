//! `cargo xtask bench scale [--gb N] [--ask NAME,NAME]`: two sets again and again under earlier times, until there are gigabytes; then questions to
//! sawlog, VictoriaLogs and ripgrep over the same lines, whose answers are compared, the same questions over a part of the data,
//! and what a start costs. What was made stays in `bench-scale` below the target folder, and a later run goes on from there: the
//! folder has to be removed after a change of the store's format, or for another `--gb`. With `--ask` only the questions whose names
//! begin so are asked, and nothing else is measured; `--ask growth` asks over parts of the data only.

mod ask;
mod copies;
mod plot;
mod questions;
mod stamp;
mod start;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Cost, cost, mb, size, victoria};
use crate::needs;
use ask::{Asked, Peers};
use copies::Events;
use questions::{QUESTIONS, Question};

/// Raw bytes that there are to be, where nothing else is said.
const BYTES: f64 = 5.5e9;
/// Raw bytes of a copy, about.
const COPY: f64 = 348e6;
/// Raw bytes over which a node is to rest in little memory.
const REST: f64 = 10e9;
/// So many copies have stores that are asked for growth.
const STAGES: [usize; 2] = [1, 4];

/// What is asked where only the growth is measured.
const GROWTH: &str = "growth";

/// What a run works with.
struct Scale<'a> {
    sawlog: &'a Path,
    logs: &'a Path,
    folder: PathBuf,
}

/// Makes what is missing and measures.
pub(super) fn run(
    sawlog: &Path,
    logs: &Path,
    folder: PathBuf,
    docs: &Path,
    bytes: Option<f64>,
    ask: Option<&str>,
) -> Result<()> {
    let asked = questions::named(ask);
    let only_growth = ask == Some(GROWTH);
    ensure!(only_growth || !asked.is_empty(), "no question is called so");
    let copies = (bytes.unwrap_or(BYTES) / COPY).ceil() as usize;
    std::fs::create_dir_all(folder.join("done"))?;
    let scale = Scale { sawlog, logs, folder };
    let stages: Vec<usize> = STAGES.into_iter().filter(|stage| *stage < copies).chain([copies]).collect();
    let mut raw = 0;
    for copy in 0..copies {
        raw += scale.raw(copy)?;
        scale.import(copy)?;
        if stages.contains(&(copy + 1)) {
            scale.keep(copy + 1)?;
        }
    }
    if only_growth {
        return growth(&scale, &stages, docs);
    }
    let peer = scale.feed(copies)?;
    let store = scale.stage(copies);
    println!("\n### Large store\n");
    println!(
        "{copies} copies of iotdb and nginx, each a week earlier: {} MB raw in {} MB stored; VictoriaLogs {} MB.\n",
        mb(raw),
        mb(size(&store)?),
        peer.as_deref().map_or(Ok("–".to_owned()), |folder| size(folder).map(mb))?
    );
    if ask.is_some() {
        return table(&scale, &store, peer.as_deref(), &asked);
    }
    growth(&scale, &stages, docs)?;
    table(&scale, &store, peer.as_deref(), &asked)?;
    start::run(&scale)
}

impl Scale<'_> {
    fn copy(&self, copy: usize) -> PathBuf {
        self.folder.join(format!("raw/{copy:03}"))
    }

    fn stage(&self, copies: usize) -> PathBuf {
        self.folder.join(format!("stage-{copies:03}"))
    }

    fn mark(&self, what: &str) -> PathBuf {
        self.folder.join("done").join(what)
    }

    /// Does what was not done yet, and remembers that.
    fn once(&self, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.mark(what).is_file() {
            return Ok(());
        }
        eprintln!("{what}");
        work()?;
        Ok(std::fs::write(self.mark(what), "")?)
    }

    /// The lines of a copy; their bytes.
    fn raw(&self, copy: usize) -> Result<u64> {
        std::fs::create_dir_all(self.folder.join("raw"))?;
        copies::make(self.logs, &self.copy(copy), copy)
    }

    fn sawlog(&self, arguments: &[&str], data: &Path) -> Result<()> {
        let (program, data) = (self.sawlog.to_string_lossy(), data.to_string_lossy());
        cost(&[&[&*program], arguments, &["--data", &data]].concat()).map(drop)
    }

    /// An import that was interrupted goes on: what is stored already is not stored again.
    fn import(&self, copy: usize) -> Result<()> {
        let raw = self.copy(copy);
        self.once(&format!("import-{copy:03}"), || {
            self.sawlog(&["import", &raw.to_string_lossy()], &self.folder.join("sawlog"))
        })
    }

    /// Compacts, and keeps the store as it is with so many copies.
    fn keep(&self, copies: usize) -> Result<()> {
        let (data, kept) = (self.folder.join("sawlog"), self.stage(copies));
        self.once(&format!("keep-{copies:03}"), || {
            self.sawlog(&["store", "compact"], &data)?;
            copy(&data, &kept)
        })
    }

    /// VictoriaLogs' folder with all copies; `None` where it is not there. Rows that it was given twice would count twice, so
    /// that a feed that was interrupted begins anew.
    fn feed(&self, copies: usize) -> Result<Option<PathBuf>> {
        let folder = self.folder.join("victoria");
        if !victoria::is_there() {
            return Ok(None);
        }
        self.once(&format!("feed-{copies:03}"), || {
            if folder.is_dir() {
                std::fs::remove_dir_all(&folder)?;
            }
            let mut events = Events::default();
            let raws: Vec<PathBuf> = (0..copies).map(|copy| self.copy(copy)).collect();
            victoria::ingest(&folder, &raws, &mut |out, file, line| events.event(out, file, line)).map(drop)
        })?;
        Ok(Some(folder))
    }
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) -> Result<()> {
    needs::succeed(Command::new("cp").arg("-rT").args([from, to]))
}

/// These questions to all, over the largest store.
fn table(scale: &Scale<'_>, store: &Path, peer: Option<&Path>, asked: &[&Question]) -> Result<()> {
    let peers = Peers { sawlog: scale.sawlog, store, victoria: peer, raw: &scale.folder.join("raw") };
    println!(
        "\n### Questions over all of it\n\nMilliseconds of processor time / on the clock. Cold: first asked after the start of a server, of a \
         command: its files dropped from the page cache, the middle one of up to five times. Warm: the mean of the same asked again.\n"
    );
    println!(
        "| question | sawlog cold | warm | command cold | warm | VictoriaLogs cold | warm | rg cold | warm | cold / VictoriaLogs | warm / VictoriaLogs | command / rg, cold | warm |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut wrong = Vec::new();
    for question in asked {
        let (http, victoria) = peers.servers(question)?;
        let others = [Some(peers.command(question)?), victoria, peers.rg(question)?];
        let differs =
            |asked: &&Asked| asked.answer.as_ref().is_some_and(|answer| http.answer.as_ref() != Some(answer));
        if others.iter().flatten().any(|asked| differs(&asked)) {
            let of = |asked: &Option<Asked>| {
                asked
                    .as_ref()
                    .map(|asked| format!("{:?}", asked.answer).chars().take(300).collect::<String>())
            };
            wrong.push(format!(
                "{}: {:.300?} {:?}",
                question.what,
                format!("{:?}", http.answer),
                others.iter().map(of).collect::<Vec<_>>()
            ));
        }
        println!("{}", line(question, &http, &others));
    }
    if !wrong.is_empty() {
        println!("\nANSWERS DIFFER (over HTTP; command, VictoriaLogs, rg):\n{}", wrong.join("\n"));
    }
    Ok(())
}

/// A line of the table.
fn line(question: &Question, http: &Asked, others: &[Option<Asked>; 3]) -> String {
    let [command, victoria, rg] = others;
    let both = |cost: Option<Cost>| {
        cost.map_or("–".to_owned(), |cost| format!("{:.1} / {:.0}", cost.cpu * 1e3, cost.wall * 1e3))
    };
    let ratio = |a: Option<Cost>, b: Option<Cost>| match (a, b) {
        (Some(a), Some(b)) => format!("{:.2} / {:.2}", a.cpu / b.cpu.max(1e-4), a.wall / b.wall.max(1e-4)),
        _ => "–".to_owned(),
    };
    let cold = |asked: &Option<Asked>| asked.as_ref().map(|asked| asked.cold);
    let warm = |asked: &Option<Asked>| asked.as_ref().map(|asked| asked.warm);
    let cells = [
        question.what.to_owned() + if question.word { " *" } else { "" },
        both(Some(http.cold)),
        both(Some(http.warm)),
        both(cold(command)),
        both(warm(command)),
        both(cold(victoria)),
        both(warm(victoria)),
        both(cold(rg)),
        both(warm(rg)),
        ratio(Some(http.cold), cold(victoria)),
        ratio(Some(http.warm), warm(victoria)),
        ratio(cold(command), cold(rg)),
        ratio(warm(command), warm(rg)),
    ];
    format!("| {} |", cells.join(" | "))
}

/// Ten questions over stores of several sizes.
fn growth(scale: &Scale<'_>, stages: &[usize], docs: &Path) -> Result<()> {
    println!(
        "\n### Growth\n\nBytes read, MB, and milliseconds of processor time, of the first question after a start.\n"
    );
    let grows = || QUESTIONS.iter().filter(|question| question.grows);
    let heads: Vec<String> = stages.iter().map(|stage| format!("{stage}× MB | {stage}× ms |")).collect();
    println!("| question | {}", heads.join(" "));
    println!("|---|{}", "---|---|".repeat(stages.len()));
    let (mut bytes, mut times) = (Vec::new(), Vec::new());
    for question in grows() {
        let mut asked = Vec::new();
        for stage in stages {
            let peers =
                Peers { sawlog: scale.sawlog, store: &scale.stage(*stage), victoria: None, raw: scale.logs };
            asked.push(peers.servers(question)?.0);
        }
        let cells: Vec<String> =
            asked.iter().map(|asked| format!("{} | {:.1}", mb(asked.read), asked.cold.cpu * 1e3)).collect();
        println!("| {} | {} |", question.what, cells.join(" | "));
        bytes.push((question.what, asked.iter().map(|asked| asked.read as f64 / 1e6).collect()));
        times.push((question.what, asked.iter().map(|asked| asked.cold.cpu * 1e3).collect()));
    }
    let sizes: Vec<f64> = stages.iter().map(|stage| *stage as f64).collect();
    let panels = [
        plot::Panel { title: "megabytes read", lines: bytes, least: 0.001 },
        plot::Panel { title: "milliseconds of processor time", lines: times, least: 0.1 },
    ];
    let drawing = docs.join("growth.svg");
    std::fs::write(&drawing, plot::svg(&sizes, "×", &panels))?;
    Ok(())
}
