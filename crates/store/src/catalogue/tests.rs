//! The chain survives reopening, checkpoints, foreign writers and damaged files.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use proptest::prelude::*;
use sawlog_model::{KnownSource, Position, Source, SourceId, Tenant};
use sawlog_sys::Sys;

use super::*;

fn entry(number: u64) -> SegmentEntry {
    SegmentEntry {
        number,
        tenant: Tenant(number as u32 % 3),
        strong: number.is_multiple_of(2),
        rows: number * 7,
        raw_bytes: number * 1000,
        stored_bytes: number * 100,
        first_time: -5,
        last_time: number as i64,
        newest: i64::MIN,
    }
}

fn known(id: u128, epoch: u32, offset: u64) -> KnownSource {
    let mut source = Source { id: SourceId(id), ..Source::default() };
    source.facts.name = format!("/var/log/{id}");
    source.facts.birth = -1;
    KnownSource { source, position: Position { epoch, offset, resume: Bytes::from_static(b"resume") } }
}

/// Numbers make changes that add, remove and move.
fn change(step: u64) -> Change {
    Change {
        added: vec![entry(step * 2), entry(step * 2 + 1)],
        removed: if step.is_multiple_of(3) { vec![step.saturating_sub(2) * 2] } else { Vec::new() },
        positions: vec![StoredSource::new(&known(u128::from(step % 5), 0, step * 10))],
        marks: vec![(Tenant(step as u32 % 4), JournalMark { at: step * 100, batches: step % 3 })],
        cursor: step * 100 / 2,
        next_segment: step * 2 + 2,
    }
}

struct Place {
    sys: Sys,
    dir: PathBuf,
    _keep: tempfile::TempDir,
}

fn place() -> Place {
    let keep = tempfile::tempdir().expect("a directory");
    Place { sys: Sys::real(), dir: keep.path().to_owned(), _keep: keep }
}

impl Place {
    fn load(&self) -> Loaded {
        let mut loaded = Catalogue::load(&self.sys, &self.dir).expect("it loads");
        loaded.catalogue.begin_writing();
        loaded
    }

    fn damage(&self, number: u64) {
        let path = self.dir.join(name(number));
        let file = self.sys.fs.open(&path, Open::Write).expect("there is one");
        file.write_at(b"?", 30).expect("it can be written");
    }
}

#[test]
fn bytes_give_the_manifest_back_and_any_flipped_bit_is_noticed() {
    let manifest = Manifest { number: 7, epoch: 3, checkpoint: true, change: change(9) };
    let bytes = manifest.encode();
    assert_eq!(Manifest::decode(&bytes.clone().into(), Path::new("m")).expect("it is one"), manifest);
    for at in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[at / 8] ^= 1 << (at % 8);
        assert!(Manifest::decode(&wrong.into(), Path::new("m")).is_err(), "bit {at}");
    }
    for len in 0..bytes.len() {
        assert!(Manifest::decode(&bytes[..len].to_vec().into(), Path::new("m")).is_err(), "cut at {len}");
    }
}

#[test]
fn another_format_is_refused_with_a_remedy() {
    let mut bytes = Manifest { number: 1, epoch: 1, checkpoint: true, change: Change::default() }.encode();
    bytes[8] = 9;
    let end = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_le_bytes());
    let error = Manifest::decode(&bytes.clone().into(), Path::new("m")).expect_err("format 9");
    assert!(matches!(error, StoreError::Format { found: 9, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("import the logs again"), "{error}");
}

#[test]
fn a_chain_adds_up_and_stays_short() {
    let place = place();
    let mut model = State::default();
    let mut catalogue = place.load().catalogue;
    for step in 1..300 {
        catalogue.commit(&change(step)).expect("it commits");
        model.apply(&change(step));
        assert_eq!(*catalogue.state(), model);
        if step % 37 == 0 {
            let loaded = place.load();
            assert!(loaded.damage.is_empty());
            catalogue = loaded.catalogue;
            assert_eq!(*catalogue.state(), model, "after {step}");
        }
    }
    let files = list(&place.sys, &place.dir).expect("a listing");
    assert!(files.len() as u64 <= 2 * CHECKPOINT_EVERY + 1, "{} files", files.len());
}

#[test]
fn two_writers_do_not_overwrite_each_other() {
    let place = place();
    let (mut one, mut other) = (place.load().catalogue, place.load().catalogue);
    one.commit(&change(1)).expect("the first commits");
    let error = other.commit(&change(2)).expect_err("the second must not");
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    assert_eq!(*place.load().catalogue.state(), *one.state());
}

#[test]
fn a_damaged_checkpoint_costs_nothing() {
    let place = place();
    let mut catalogue = place.load().catalogue;
    let mut model = State::default();
    for step in 1..=CHECKPOINT_EVERY + 10 {
        catalogue.commit(&change(step)).expect("it commits");
        model.apply(&change(step));
    }
    let checkpoint = catalogue.last_checkpoint;
    assert!(checkpoint > 1, "a second one was written");
    place.damage(checkpoint);
    let loaded = place.load();
    assert_eq!(loaded.damage.len(), 1);
    // The damaged one also held a change, which is all that is gone.
    let lost = entry(checkpoint * 2);
    let have = loaded.catalogue.state();
    assert!(!have.segments.contains_key(&lost.number));
    assert_eq!(have.segments.len() + 2, model.segments.len());
    let mut catalogue = loaded.catalogue;
    catalogue.commit(&change(1000)).expect("it goes on");
    let loaded = place.load();
    assert!(loaded.damage.is_empty(), "a new checkpoint stands after the damage: {:?}", loaded.damage);
    assert_eq!(loaded.catalogue.state(), catalogue.state());
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_manifest_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        // Past the checksum, so that the body is read.
        if bytes.len() > BODY_MIN {
            bytes[..8].copy_from_slice(b"sawlogCT");
            bytes[8..12].fill(0);
            let body = (bytes.len() - BODY_MIN) as u64;
            bytes[29..37].copy_from_slice(&body.to_le_bytes());
            let end = bytes.len() - 4;
            let crc = crc32c::crc32c(&bytes[..end]);
            bytes[end..].copy_from_slice(&crc.to_le_bytes());
        }
        let _ = Manifest::decode(&bytes.clone().into(), Path::new("m"));
    }
}

#[test]
fn seeded_damage_of_a_manifest_breaks_nothing() {
    let bytes = Manifest { number: 7, epoch: 3, checkpoint: true, change: change(9) }.encode();
    let seed = bytes[manifest::BODY_AT..bytes.len() - manifest::CRC_LEN].to_vec();
    sawlog_sys::sim::withstand(
        "manifest",
        fuzz::manifest,
        &[seed],
        &mut sawlog_sys::sim::Dice(1),
        std::time::Duration::from_millis(300),
    );
}

/// Bytes of a manifest without body.
const BODY_MIN: usize = 41;
