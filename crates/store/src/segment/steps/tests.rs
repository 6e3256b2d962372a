//! What is counted in steps is what rounding each time down gives.

use std::collections::BTreeMap;

use super::*;

#[test]
fn each_time_is_counted_in_the_step_that_it_is_rounded_down_to() {
    let minute = 60_000_000_000;
    let ascending: Vec<Nanos> = (0..5_000).map(|row| row * 700_000_001 - minute).collect();
    let mut mixed = ascending.clone();
    mixed.extend(ascending.iter().rev().step_by(3).map(|time| time / 2));
    mixed.extend([
        Nanos::MIN,
        Nanos::MIN + 1,
        Nanos::MIN + minute,
        Nanos::MAX,
        -1,
        0,
        Nanos::MAX,
        Nanos::MIN,
    ]);
    for times in [&ascending[..], &mixed, &mixed[5_000..], &[]] {
        for step in [1, 7, 1_000_000_000, minute, 24 * 60 * minute, Nanos::MAX] {
            let mut wanted: BTreeMap<Nanos, u64> = BTreeMap::new();
            times.iter().for_each(|time| *wanted.entry(rounded(*time, step)).or_default() += 1);
            assert_eq!(count_steps(times, step), wanted.into_iter().collect::<Vec<_>>(), "{step}");
        }
    }
}
