//! Any interleaving of what writers, rotation and crashes do: every line is in the output once, in the order of its file.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Appends so many lines.
    Append(usize),
    /// Appends the beginning of a line, and the rest with the next append.
    Half,
    Rename,
    /// Waits until all was read, copies and truncates.
    CopyTruncate,
    Truncate,
    Recreate,
    Commit,
    Pause,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..30usize).prop_map(Step::Append),
        2 => Just(Step::Half),
        2 => Just(Step::Rename),
        1 => Just(Step::CopyTruncate),
        1 => Just(Step::Truncate),
        1 => Just(Step::Recreate),
        2 => Just(Step::Commit),
        2 => Just(Step::Pause),
        3 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..25)
}

struct World {
    node: Node,
    output: Arc<Collect>,
    life: Option<Life>,
    next: usize,
    half: bool,
    rotated: usize,
}

impl World {
    /// Lines are numbered over all files, so that the order within a file is that of the numbers.
    fn append(&mut self, count: usize) {
        let mut text = String::new();
        for _ in 0..count {
            let line = format!("line {:05}\n", self.next);
            text.push_str(if self.half { &line[4..] } else { &line });
            self.half = false;
            self.next += 1;
        }
        self.node.append("app.log", &text);
    }

    fn finish_half(&mut self) {
        if self.half {
            self.append(1);
        }
    }

    /// Waits until every line is in the output.
    fn catch_up(&mut self) {
        self.finish_half();
        let next = self.next;
        self.output.wait_for_rows(next);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append(count) => self.append(count),
            Step::Half if !self.half => {
                self.node.append("app.log", "line");
                self.half = true;
            }
            Step::Half => {}
            Step::Rename => {
                self.finish_half();
                self.rotated += 1;
                let to = format!("app.log.{}", self.rotated);
                self.node.append("app.log", "");
                self.node.rename("app.log", &to);
            }
            Step::CopyTruncate => {
                self.finish_half();
                self.rotated += 1;
                self.node.append("app.log", "");
                // What is written between copy and truncation is lost by definition; here there is nothing.
                self.node.copy("app.log", &format!("app.log.{}", self.rotated));
                self.node.truncate("app.log");
            }
            Step::Truncate => {
                // What is truncated before it is durable anywhere is lost by definition.
                self.catch_up();
                self.output.commit();
                self.node.append("app.log", "");
                self.node.truncate("app.log");
            }
            Step::Recreate => {
                self.catch_up();
                self.output.commit();
                self.node.append("app.log", "");
                self.node.unlink("app.log");
            }
            Step::Commit => self.output.commit(),
            Step::Pause => task::sleep(Duration::from_millis(30)),
            Step::Crash => {
                let life = self.life.take().expect("it runs");
                self.output = self.node.crash(life, &self.output);
                self.life = Some(self.node.start(&self.output, "app.log"));
            }
        }
    }
}

/// Runs the steps and checks what came of them.
fn check(steps: &[Step]) -> Result<(), TestCaseError> {
    let node = Node::new();
    let output = Collect::new("store");
    let life = Some(node.start(&output, "app.log"));
    let mut world = World { node, output, life, next: 0, half: false, rotated: 0 };
    // Once a file of this name was stored, every other that ever bears it is.
    world.append(1);
    world.catch_up();
    world.output.commit();
    for step in steps {
        world.step(step.clone());
    }
    world.catch_up();
    drop(world.life.take());
    let rows = world.output.rows();
    let mut have = world.output.lines();
    have.sort();
    let want: Vec<String> = (0..world.next).map(|index| format!("line {index:05}\n")).collect();
    prop_assert_eq!(have, want);
    let mut last = std::collections::HashMap::new();
    for row in &rows {
        let this = (row.address.epoch, row.address.offset, row.raw.clone());
        if let Some((epoch, offset, raw)) = last.insert(row.address.source, this) {
            prop_assert!((epoch, offset) < (row.address.epoch, row.address.offset));
            prop_assert!(raw < row.raw, "{:?} before {:?}", raw, row.raw);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_line_arrives_once_and_in_order(steps in steps()) {
        check(&steps)?;
    }
}

/// What once went wrong. The order of threads is chance, so each is tried a few times.
#[test]
fn what_once_went_wrong() {
    use Step::{Append, Commit, CopyTruncate, Crash, Pause, Rename};
    let cases = [
        // The copy was known to be read so far before what was read was durable.
        vec![CopyTruncate, Append(3), Pause, CopyTruncate, Crash, Commit, Append(7)],
        // The copy was taken for the rest of the renamed file.
        vec![CopyTruncate, Append(2), Append(3), Crash, Append(4), Rename],
    ];
    for _ in 0..5 {
        cases.iter().try_for_each(|steps| check(steps)).unwrap();
    }
}
