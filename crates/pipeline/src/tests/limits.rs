//! Tenants at their limits: who waits, who is told, what is dropped.

use std::sync::Mutex;

use sawlog_model::{Meter, Over, TOKEN};

use super::*;

/// Lets a tenant bring so many records in all, and whoever comes with the token `none`, nothing; of others any number. What comes with
/// the token `kept` is told from the rest.
struct Ration {
    tenant: Tenant,
    left: Mutex<u64>,
}

impl Meter for Ration {
    fn bring(&self, tenant: Tenant, token: Option<&str>, records: u64, _bytes: u64) -> Result<(), Over> {
        let mut left = self.left.lock().expect("no panic");
        if token == Some("none") {
            return Err(Over { reason: "none".to_owned(), wait: Duration::from_millis(5) });
        }
        if tenant != self.tenant {
            return Ok(());
        }
        if records > *left {
            return Err(Over { reason: "enough".to_owned(), wait: Duration::from_millis(5) });
        }
        *left -= records;
        Ok(())
    }

    fn marks(&self, token: &str) -> bool {
        token == "kept"
    }
}

fn start(node: &Node, output: &Arc<Collect>) -> (Pipeline, Arc<Ration>) {
    let ration = Arc::new(Ration { tenant: Tenant(1), left: Mutex::new(2) });
    let meter = Some(Arc::clone(&ration) as Arc<dyn Meter>);
    (node.start(&[output], PipelineOptions { meter, ..quick() }), ration)
}

fn of(tenant: u32, id: u128, lines: &[&str]) -> Batch {
    Batch { tenant: Tenant(tenant), ..batch(id, 0, 0, lines).0 }
}

#[test]
fn a_sender_that_is_told_is_refused_and_others_are_not() {
    let (node, output) = (Node::new(), Collect::new("out"));
    let (pipeline, _) = start(&node, &output);
    let intake = pipeline.intake("test").refusing();
    let runtime = task::runtime("test", 1).expect("a runtime");
    let bring = |batches| runtime.block_on(intake.submit(batches));
    assert!(bring(vec![of(1, 1, &["a\n", "b\n"])]).is_ok());
    let refused = bring(vec![of(1, 1, &["c\n"])]);
    assert!(matches!(&refused, Err(DeliveryError::Limited(over)) if over.reason == "enough"), "{refused:?}");
    assert!(bring(vec![of(2, 2, &["d\n"])]).is_ok());
    output.wait_for_rows(3);
    assert_eq!(output.lines().iter().map(|line| line.trim_end()).collect::<Vec<_>>(), ["a", "b", "d"]);
    pipeline.stop();
}

#[test]
fn of_senders_that_share_an_input_only_the_one_at_its_limit_loses() {
    let (node, output) = (Node::new(), Collect::new("out"));
    let (pipeline, _) = start(&node, &output);
    let intake = pipeline.intake("test").dropping();
    let runtime = task::runtime("test", 1).expect("a runtime");
    let both = vec![of(1, 1, &["a\n", "b\n", "c\n"]), of(2, 2, &["d\n"])];
    runtime.block_on(intake.submit(both)).expect("taken");
    output.wait_for_rows(1);
    assert_eq!(output.lines(), ["d\n"]);
    let errors: Vec<_> = pipeline.status().parts().into_iter().flat_map(|part| part.errors).collect();
    assert_eq!(errors, [("limited".to_owned(), 3)], "counted by records");
    pipeline.stop();
}

#[test]
fn a_sender_that_waits_goes_on_when_there_is_room() {
    let (node, output) = (Node::new(), Collect::new("out"));
    let (pipeline, ration) = start(&node, &output);
    let intake = pipeline.intake("test");
    let (waiting, file) = (intake.clone(), intake.clone());
    let runtime = task::runtime("test", 1).expect("a runtime");
    let submitted =
        runtime.spawn(async move { waiting.submit(vec![of(1, 1, &["a\n", "b\n", "c\n"])]).await });
    let (rows, position) = batch(3, 0, 0, &["d\n", "e\n", "f\n"]);
    let offered = task::spawn("offer", move || file.offer(Batch { tenant: Tenant(1), ..rows }, position));
    let offered = offered.expect("a thread");
    task::sleep(Duration::from_millis(50));
    assert_eq!(output.lines(), [""; 0], "both wait");
    let told: Vec<_> = pipeline.status().parts().into_iter().filter(|part| part.role == "input").collect();
    assert_eq!(told[0].errors, [("limited".to_owned(), 6)], "each is counted once, however long it waits");
    assert_eq!(told[0].last_error.as_deref(), Some("waiting: enough"));
    *ration.left.lock().expect("no panic") = 6;
    assert!(runtime.block_on(submitted).expect("no panic").is_ok());
    assert!(offered.join().is_some_and(|offered| offered.is_ok()));
    output.wait_for_rows(6);
    pipeline.stop();
}

#[test]
fn limits_are_those_of_the_token_that_rows_came_with() {
    let (node, output) = (Node::new(), Collect::new("out"));
    let (pipeline, _) = start(&node, &output);
    let mut tap = pipeline.subscribe();
    let by = |token: &str| pipeline.intake("test").by(Some(token.into()));
    let runtime = task::runtime("test", 1).expect("a runtime");
    let said = |batch: Batch, token: &str| Batch { token: Some(token.into()), ..batch };
    let refused = runtime.block_on(by("none").refusing().submit(vec![of(2, 1, &["a\n"])]));
    assert!(matches!(&refused, Err(DeliveryError::Limited(over)) if over.reason == "none"), "{refused:?}");
    // Of one sender's, only what came with that token is dropped: a row's own word counts more than its input's.
    let mixed = vec![said(of(2, 1, &["b\n"]), "none"), of(2, 2, &["c\n"]), said(of(2, 3, &["d\n"]), "kept")];
    runtime.block_on(by("other").dropping().submit(mixed)).expect("taken");
    runtime.block_on(by("none").submit(vec![said(of(2, 4, &["e\n"]), "kept")])).expect("taken");
    let (rows, position) = batch(5, 0, 0, &["f\n"]);
    by("kept").offer(Batch { tenant: Tenant(2), ..rows }, position).expect("taken");
    output.wait_for_rows(4);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let Some(Tapped::Rows(batch)) = runtime.block_on(tap.next()) else { panic!("rows") };
        let token = batch.context.get(TOKEN).map(str::to_owned);
        let line = |row: sawlog_model::RowRef<'_>| String::from_utf8_lossy(row.raw()).into_owned();
        seen.extend(batch.iter().map(|row| (line(row), token.clone())));
    }
    seen.sort();
    let kept = |line: &str| (format!("{line}\n"), Some("kept".to_owned()));
    assert_eq!(seen, [("c\n".to_owned(), None), kept("d"), kept("e"), kept("f")]);
    pipeline.stop();
}
