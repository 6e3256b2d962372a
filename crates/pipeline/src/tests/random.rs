//! Any interleaving of offers, submits, commits, waits and crashes: every row that was acknowledged, or that is read
//! again from the known position, is in the output once and in order.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Offer(u8),
    Submit,
    Settle(u8),
    Commit,
    Late,
    Away(bool),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3u8).prop_map(Step::Offer),
        3 => Just(Step::Submit),
        1 => (0..3u8).prop_map(Step::Settle),
        2 => Just(Step::Commit),
        1 => Just(Step::Late),
        1 => any::<bool>().prop_map(Step::Away),
        2 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A file is a count of lines; line `n` of file `f` is always the same four bytes at `4 * n`.
fn offer(pipeline: &Pipeline, file: u8, next: &mut HashMap<u8, u64>) {
    let at = next.entry(file).or_default();
    let line = format!("{file}{at:02}\n");
    let (rows, position) = batch(100 + u128::from(file), 0, *at * 4, &[&line]);
    pipeline.intake("file").offer(rows, position).unwrap();
    *at += 1;
}

/// Goes back to where each file is to be read on from.
fn rewind(pipeline: &Pipeline, next: &mut HashMap<u8, u64>) {
    let known = pipeline.intake("file").known_sources();
    for (file, at) in next {
        let id = SourceId(100 + u128::from(*file));
        let known = known.iter().find(|known| known.source.id == id);
        *at = known.map_or(0, |known| known.position.offset / 4);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_row_arrives_once_and_in_order(steps in steps()) {
        let mut node = Node::new();
        let mut output = Collect::new("store");
        let options = || PipelineOptions { late_after: Some(Duration::from_millis(5)), trim_bytes: 1, ..quick() };
        let mut pipeline = node.start(&[&output], options());
        let (mut next, mut read, mut submitted) = (HashMap::new(), HashMap::new(), 0u64);
        for step in steps {
            match step {
                Step::Offer(file) => {
                    offer(&pipeline, file, &mut next);
                    let most: &mut u64 = read.entry(file).or_default();
                    *most = next[&file].max(*most);
                }
                Step::Submit => {
                    // Away and waited for would be a stand-off in one thread.
                    output.set_later(false);
                    submit(&pipeline, &[&format!("s{submitted:03}\n")]).unwrap();
                    submitted += 1;
                }
                Step::Settle(file) => pipeline.intake("file").settle(SourceId(100 + u128::from(file))).unwrap(),
                Step::Commit => {
                    output.commit();
                    pipeline.maintain().unwrap();
                }
                Step::Late => task::sleep(Duration::from_millis(8)),
                Step::Away(away) => output.set_later(away),
                Step::Crash => {
                    output = node.crash(&pipeline, &output);
                    pipeline = node.start(&[&output], options());
                    rewind(&pipeline, &mut next);
                }
            }
        }
        for (file, most) in &read {
            while next[file] < *most {
                offer(&pipeline, *file, &mut next);
            }
        }
        output.set_later(false);
        let total = read.values().sum::<u64>() + submitted;
        output.wait_for_rows(total as usize);
        pipeline.stop();
        let lines = output.lines();
        for (file, most) in read {
            let want: Vec<_> = (0..most).map(|at| format!("{file}{at:02}\n")).collect();
            let have: Vec<_> = lines.iter().filter(|line| line.starts_with(&file.to_string())).cloned().collect();
            prop_assert_eq!(have, want);
        }
        let want: Vec<_> = (0..submitted).map(|at| format!("s{at:03}\n")).collect();
        let have: Vec<_> = lines.iter().filter(|line| line.starts_with('s')).cloned().collect();
        prop_assert_eq!(have, want);
    }
}
