//! Codes that follow from others come back, and those that pass are counted without them.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn what_passes_is_counted_as_it_is_among_the_codes(
        pairs in proptest::collection::vec((0u32..12, 0i64..40), 0..600),
        least in 0i64..40,
    ) {
        let leaders: Vec<u32> = pairs.iter().map(|(leader, _)| *leader).collect();
        // Mostly a code follows from its leader.
        let codes: Vec<i64> =
            pairs.iter().map(|(leader, code)| if code % 3 > 0 { i64::from(*leader) * 3 } else { *code }).collect();
        let leader = Leader::Codes(&leaders, 12);
        let (symbols, exceptions) = encode(&codes, leader);
        prop_assert_eq!(decode(&symbols, &exceptions, leader), Some(codes.clone()));
        let passing = exceptions.iter().map(|code| *code >= least);
        let passed = codes.iter().filter(|code| **code >= least).count() as u64;
        prop_assert_eq!(count_passing(&symbols, passing, &leaders, 12), Some(passed));
    }
}

#[test]
fn what_does_not_fit_is_not_counted() {
    let few = [true; 1];
    assert_eq!(count_passing(&[6, 0], few.into_iter(), &[0, 0], 1), Some(2));
    assert_eq!(count_passing(&[6, 6], few.into_iter(), &[0, 0], 1), None, "an exception is missing");
    assert_eq!(count_passing(&[6, 1], few.into_iter(), &[0, 0], 1), None, "there is no second code yet");
    assert_eq!(count_passing(&[6, 0], few.into_iter(), &[0, 1], 1), None, "a leading code is too large");
    assert_eq!(count_passing(&[6, 0], few.into_iter(), &[0], 1), None, "a leading code is missing");
}
