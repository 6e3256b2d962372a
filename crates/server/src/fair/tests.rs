//! Orders of turns, and who finds no seat.

use futures::FutureExt;

use super::*;

const A: Tenant = Tenant(1);
const B: Tenant = Tenant(2);
const C: Tenant = Tenant(3);

#[tokio::test]
async fn who_has_the_fewest_is_next_and_the_last_turns_are_for_those_who_have_none() {
    let turns = Turns::new(8);
    let mut of_a: Vec<Having> = Vec::new();
    while let Some(having) = turns.take(A, false).now_or_never() {
        of_a.push(having);
    }
    assert_eq!(of_a.len(), 6, "a quarter is left");
    let of_b = turns.take(B, false).now_or_never().expect("it has none");
    let [mut a, mut b, mut c] = [A, B, C].map(|tenant| turns.take(tenant, false).boxed());
    assert!(a.as_mut().now_or_never().is_none() && b.as_mut().now_or_never().is_none());
    let of_c = c.as_mut().now_or_never().expect("who has none has the last one");
    assert!(turns.take(Tenant(4), false).now_or_never().is_none(), "there is none any more");
    of_a.truncate(4);
    assert!(b.as_mut().now_or_never().is_none(), "the two that are free are left to others");
    drop(of_a.pop());
    assert!(a.as_mut().now_or_never().is_none());
    let more = b.as_mut().now_or_never().expect("it has fewer, though the other waits for longer");
    drop((of_b, of_c, more));
    assert!(a.as_mut().now_or_never().is_some());
}

#[tokio::test]
async fn a_tenant_that_is_alone_has_all_and_who_goes_gives_its_place_up() {
    let turns = Turns::new(4);
    let all: Vec<Having> = futures::future::join_all((0..4).map(|_| turns.take(A, true))).await;
    let mut gone = turns.take(B, false).boxed();
    assert!(gone.as_mut().now_or_never().is_none());
    drop(gone);
    drop(all);
    assert_eq!(turns.state().free, 4, "nobody took it along");
    assert!(turns.state().had.is_empty() && turns.state().waiting.is_empty());
}

#[tokio::test]
async fn a_tenant_has_no_more_seats_than_are_free() {
    let seats = Seats::new(16);
    let mut taken = Vec::new();
    let mut sat = 0;
    for _ in 0..12 {
        let seat = seats.take().await.expect("free");
        if seat.belongs_to(A) {
            sat += 1;
            taken.push(seat);
        }
    }
    assert_eq!(sat, 8, "half where nobody else is there");
    let other = seats.take().await.expect("free");
    assert!(other.belongs_to(B) && other.belongs_to(B));
    assert!(taken[0].belongs_to(B), "who sits there may change");
    assert_eq!(seats.held().get(&A), Some(&7));
    drop((taken, other));
    assert!(seats.held().is_empty() && seats.room.available_permits() == 16);
}
