//! What is kept of what questions read.

use super::*;

fn key(number: u32) -> PartKey {
    PartKey { segment: 1, sort: 0, first: number, second: 0 }
}

fn chunk(cache: &Cache, number: u32, one_group: bool) {
    cache.put_chunk(key(number), Bytes::from(vec![0; 1 << 20]), one_group);
}

#[test]
fn what_is_asked_for_once_gives_way_and_what_comes_again_stays() {
    let cache = Cache::new(64 << 20);
    chunk(&cache, 1, false);
    (2..40).for_each(|number| chunk(&cache, number, true));
    assert!(cache.get(key(1)).is_some(), "what groups share stays");
    assert!(cache.get(key(39)).is_some(), "a question comes back to what it read last");
    assert!(cache.get(key(2)).is_none(), "a question over everything does not fill the memory");
    chunk(&cache, 2, true);
    (40..60).for_each(|number| chunk(&cache, number, true));
    assert!(cache.get(key(2)).is_some(), "what was asked for again stays");
    assert!(cache.get(key(3)).is_none());
}

#[test]
fn one_question_keeps_nothing_of_a_group() {
    let cache = Cache::for_one_question(64 << 20);
    for _ in 0..2 {
        (1..20).for_each(|number| chunk(&cache, number, true));
    }
    assert!(cache.get(key(19)).is_some());
    assert!(cache.get(key(2)).is_none());
    cache.put_column(key(30), Arc::new(Column::Integers(vec![1])));
    assert!(cache.get(key(30)).is_none(), "its group has it");
}

#[test]
fn answers_stay_when_blocks_come() {
    let cache = Cache::new(32 << 20);
    let told = ToldTexts { texts: Arc::default(), left: Arc::default() };
    let answer = |number| cache.put(key(number), Part::Texts("".into(), told.clone()), 1 << 20);
    (100..110).for_each(answer);
    (0..100).for_each(|number| chunk(&cache, number, false));
    assert!((100..110).all(|number| cache.get(key(number)).is_some()), "what they are made of is larger");
    assert!(cache.get(key(99)).is_some() && cache.get(key(50)).is_none());
    (110..200).for_each(answer);
    assert!(cache.get(key(199)).is_some() && cache.get(key(100)).is_none(), "there are not too many of them");
    assert!(cache.get(key(99)).is_some(), "blocks have a part of their own");
}
