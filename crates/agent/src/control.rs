//! How a running agent is asked for something: a socket in the directory of its data that only its own user can open. One
//! request is a line of words; the answer begins with `ok` or `error`, and ends with the connection. Knows nothing of what
//! is done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sawlog_pipeline::{Pipeline, TagPattern, Tapped, Which};
use sawlog_sys::{Sys, net, task};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::operate;

/// Longest request, bytes.
const REQUEST: u64 = 64 << 10;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests at a time; more wait.
const ASKERS: usize = 16;
/// How long to wait where the system has no descriptor for a connection.
const AGAIN: Duration = Duration::from_millis(100);

/// Asks that the configuration be read again; is told what has changed, or what is wrong.
pub(crate) type AskReload = oneshot::Sender<Result<Vec<String>>>;

/// What the requests are done with.
pub(crate) struct Desk {
    pub(crate) pipeline: Pipeline,
    pub(crate) reload: mpsc::Sender<AskReload>,
}

fn path(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// Listens until the runtime ends.
///
/// # Errors
/// As the system says, with the path in the text.
pub(crate) async fn listen(sys: &Sys, data: &Path, desk: Arc<Desk>) -> std::io::Result<()> {
    let path = path(data);
    let listener = net::listen_unix(&path).await?;
    sys.fs.set_mode(&path, 0o600)?;
    tokio::spawn(async move {
        let room = Arc::new(Semaphore::new(ASKERS));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let desk = desk.clone();
            tokio::spawn(async move {
                // Who asked and does not listen for the answer is gone.
                let _ = answer(stream, &desk).await;
                drop(place);
            });
        }
    });
    Ok(())
}

async fn answer(mut stream: net::UnixStream, desk: &Arc<Desk>) -> std::io::Result<()> {
    let mut request = String::new();
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read.take(REQUEST));
    match timeout(PATIENCE, lines.read_line(&mut request)).await {
        Ok(read) => drop(read?),
        Err(_) => return Ok(()),
    }
    let (verb, rest) = request.trim_end().split_once(' ').unwrap_or((request.trim_end(), ""));
    if verb == "tap" {
        return match TagPattern::parse(rest) {
            Ok(tags) => {
                tokio::select! {
                    ended = tap(&mut write, desk, tags) => ended,
                    // Who says something more, or goes, wants no more.
                    _ = lines.read_u8() => Ok(()),
                }
            }
            Err(error) => write.write_all(format!("error\n{error}\n").as_bytes()).await,
        };
    }
    let (desk, verb, rest) = (desk.clone(), verb.to_owned(), rest.to_owned());
    let done = tokio::task::spawn_blocking(move || desk.answer(&verb, &rest)).await;
    let text = match done.map_err(|_| "it was interrupted".to_owned()) {
        Ok(Ok(text)) => format!("ok\n{text}"),
        Ok(Err(error)) => format!("error\n{error:#}\n"),
        Err(error) => format!("error\n{error}\n"),
    };
    write.write_all(text.as_bytes()).await
}

/// Records as they pass, until whoever asked goes.
async fn tap(write: &mut (impl AsyncWriteExt + Unpin), desk: &Desk, tags: TagPattern) -> std::io::Result<()> {
    let mut tap = desk.pipeline.subscribe_to(tags);
    write.write_all(b"ok\n").await?;
    while let Some(tapped) = tap.next().await {
        let text = match tapped {
            Tapped::Rows(batch) => operate::lines(&batch),
            Tapped::Missed(count) => format!("# {count} records were passed over\n").into_bytes(),
        };
        write.write_all(&text).await?;
    }
    Ok(())
}

impl Desk {
    fn answer(&self, verb: &str, rest: &str) -> Result<String> {
        let pipeline = &self.pipeline;
        match verb {
            "status" => {
                Ok(String::from_utf8(sawlog_wire::board::json(pipeline, env!("CARGO_PKG_VERSION")))? + "\n")
            }
            "reload" => {
                let (tell, told) = oneshot::channel();
                let ending = "the agent is ending";
                self.reload.blocking_send(tell).ok().context(ending)?;
                let changes = told.blocking_recv().ok().context(ending)??;
                Ok(changes.iter().map(|change| format!("{change}\n")).collect())
            }
            "replay" => {
                let done = pipeline.replay_dead(&read_which(rest)?)?;
                let text = format!("{} letters with {} records replayed\n", done.letters, done.rows);
                if done.left.is_empty() { Ok(text) } else { bail!("{text}{}", done.left.join("\n")) }
            }
            "drop" => {
                let which = read_which(rest)?;
                let dead = pipeline.dead().context("this agent keeps no dead letters")?;
                let (letters, rows) = dead.drop_letters(&which)?;
                Ok(format!("{letters} letters with {rows} records dropped\n"))
            }
            _ => bail!("there is no request `{verb}`"),
        }
    }
}

/// `all`, `output NAME` or `numbers 1,2`.
pub(crate) fn write_which(which: &Which) -> String {
    match which {
        // An agent has no tenants of its own to tell apart.
        Which::OfTenant(_, which) => write_which(which),
        Which::All => "all".to_owned(),
        Which::Output(output) => format!("output {output}"),
        Which::Numbers(numbers) => {
            format!("numbers {}", numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(","))
        }
    }
}

fn read_which(text: &str) -> Result<Which> {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("all", "") => Ok(Which::All),
        ("output", name) => Ok(Which::Output(name.to_owned())),
        ("numbers", numbers) => {
            let numbers: Result<_, _> = numbers.split(',').map(str::parse).collect();
            Ok(Which::Numbers(numbers.context("a number of a letter is no number")?))
        }
        _ => bail!("`{text}` names no letters"),
    }
}

/// Asks the agent that runs on `data`, and hands each line of a good answer to `line`. `None` where none runs there.
///
/// # Errors
/// What the agent says.
pub(crate) fn ask(
    data: &Path,
    request: &str,
    mut line: impl FnMut(&str) -> Result<()>,
) -> Result<Option<()>> {
    let runtime = task::runtime("ask", 1)?;
    runtime.block_on(async {
        let Ok(mut stream) = net::UnixStream::connect(path(data)).await else { return Ok(None) };
        stream.write_all(format!("{request}\n").as_bytes()).await?;
        let mut answer = BufReader::new(stream);
        let mut text = String::new();
        answer.read_line(&mut text).await?;
        if text != "ok\n" {
            text.clear();
            answer.read_to_string(&mut text).await?;
            bail!("{}", if text.is_empty() { "the agent gave no answer" } else { text.trim_end() });
        }
        loop {
            text.clear();
            if answer.read_line(&mut text).await? == 0 {
                return Ok(Some(()));
            }
            line(text.trim_end_matches('\n'))?;
        }
    })
}
