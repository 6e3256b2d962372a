//! Integers come back, also where they are read as codes.

use proptest::prelude::*;

use super::*;

/// The integers as they are read, plain and as codes below a limit.
fn back(values: &[i64], limit: usize) -> (Vec<i64>, Result<Vec<u32>, Damage>) {
    let (mut head, mut body) = (Vec::new(), Vec::new());
    encode(values, &mut head, &mut body);
    let count = values.len();
    let plain = decode(count, &mut Cursor::new(&head), &mut Cursor::new(&body)).expect("integers");
    let mut rest = Cursor::new(&head);
    let codes = decode_below(limit, count, &mut rest, &mut Cursor::new(&body));
    assert!(codes.is_err() || rest.remaining() == 0, "the whole head is read");
    (plain, codes)
}

fn lists() -> impl Strategy<Value = Vec<i64>> {
    let steps = |least: i64, most: i64, step: i64| {
        // Also more than are written in one go.
        prop::collection::vec(least..most, 1..3 * BLOCK).prop_map(move |values| {
            values.into_iter().map(|value| value.wrapping_mul(step)).collect::<Vec<i64>>()
        })
    };
    prop_oneof![
        steps(0, 2, 1),
        steps(0, 200, 1),
        steps(0, 70_000, 1),
        steps(250, 300, 1),
        steps(0, 1_000, 1_000),
        steps(-3, 100, 1),
        steps(0, 1 << 24, 250),
        steps(i64::MIN, i64::MAX, 1),
        // Differences are smaller than the integers.
        prop::collection::vec(0..5i64, 1..300).prop_map(|steps| {
            steps.iter().scan(1_000_000, |sum, step| Some(std::mem::replace(sum, *sum + step))).collect()
        }),
    ]
}

proptest! {
    #[test]
    fn codes_are_the_integers_where_these_are_below_the_limit(
        values in lists(),
        limit in prop_oneof![0usize..5, 0usize..100_000, Just(1 << 32), Just(usize::MAX)],
    ) {
        let (plain, codes) = back(&values, limit);
        prop_assert_eq!(&plain, &values);
        let limit = limit.min(u32::MAX as usize) as i128;
        let within = values.iter().all(|value| (0..limit).contains(&i128::from(*value)));
        match codes {
            Ok(codes) => {
                prop_assert!(within);
                prop_assert_eq!(codes.into_iter().map(i64::from).collect::<Vec<_>>(), values);
            }
            Err(_) => prop_assert!(!within),
        }
    }
}

#[test]
fn what_takes_no_bytes_is_bounded() {
    for head in [&[CONSTANT, 2][..], &[DELTAS, 0, 2]] {
        let read = |count| decode(count, &mut Cursor::new(head), &mut Cursor::new(&[]));
        assert_eq!(read(1_000).expect("integers").len(), 1_000);
        assert!(read(MOST_WITHOUT_BYTES + 1).is_err());
        let codes = |count| decode_below(usize::MAX, count, &mut Cursor::new(head), &mut Cursor::new(&[]));
        assert_eq!(codes(1_000).expect("codes").len(), 1_000);
        assert!(codes(MOST_WITHOUT_BYTES + 1).is_err());
    }
}
