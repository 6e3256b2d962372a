//! Tests of the simulated machine: it forgets what it may forget and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::{File, Fs, Open};

fn fs(world: &World) -> Arc<dyn Fs> {
    world.sys().fs
}

fn durable_file(world: &World, path: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = fs(world).open(path.as_ref(), Open::New).expect("makes a file");
    file.write_at(bytes, 0).expect("writes");
    file.sync().expect("syncs");
    fs(world).sync_dir("/".as_ref()).expect("syncs the directory");
    file
}

fn read(world: &World, path: &str) -> Option<Vec<u8>> {
    fs(world).read(path.as_ref()).ok()
}

#[test]
fn bytes_survive_as_the_tail_says() {
    let world = World::new(1);
    let file = durable_file(&world, "/a", &[1; 2000]);
    file.write_at(&[2; 2000], 1000).expect("writes");
    let after = |tail| read(&world.restart(tail), "/a").expect("has the file");

    assert_eq!(after(Tail::Lost), [1; 2000]);
    assert_eq!(after(Tail::Kept), [vec![1; 1000], vec![2; 2000]].concat());
    let torn = after(Tail::Torn);
    let written = torn.iter().filter(|byte| **byte == 2).count();
    assert!(
        written < 2000
            && torn[..1000] == [1; 1000]
            && torn[1000..1000 + written].iter().all(|byte| *byte == 2)
    );
    let garbage = after(Tail::Garbage);
    assert!(garbage.len() == 3000 && garbage[..1000] == [1; 1000]);
    assert!(garbage[1000..].iter().collect::<BTreeSet<_>>().len() > 200);
}

#[test]
fn any_sectors_may_survive_without_the_others() {
    let mut seen = BTreeSet::new();
    for seed in 0..64 {
        let world = World::new(seed);
        let file = durable_file(&world, "/a", &[0; 2048]);
        file.write_at(&[1; 1536], 300).expect("writes");
        let bytes = read(&world.restart(Tail::Subset), "/a").expect("has the file");
        assert_eq!(bytes.len(), 2048);
        // The sectors are those of the file: 300..512, 512..1024, 1024..1536, 1536..1836.
        let sectors = [300..512, 512..1024, 1024..1536, 1536..1836];
        let survived = sectors.map(|sector| {
            assert!(bytes[sector.clone()].iter().all(|byte| *byte == bytes[sector.start]));
            bytes[sector.start] == 1
        });
        assert!(bytes[..300].iter().chain(&bytes[1836..]).all(|byte| *byte == 0));
        seen.insert(survived);
    }
    assert_eq!(seen.len(), 16);
}

#[test]
fn names_are_durable_only_when_their_directory_was_synced() {
    let world = World::new(1);
    let sys = fs(&world);
    durable_file(&world, "/kept", b"k");
    let file = sys.open("/made".as_ref(), Open::Create).expect("makes a file");
    file.write_at(b"m", 0).expect("writes");
    file.sync().expect("syncs");
    sys.rename("/kept".as_ref(), "/renamed".as_ref()).expect("renames");

    let lost = world.restart(Tail::Lost);
    assert_eq!((read(&lost, "/made"), read(&lost, "/renamed")), (None, None));
    assert_eq!(read(&lost, "/kept").as_deref(), Some(&b"k"[..]));
    let mut seen = BTreeSet::new();
    for seed in 0..32 {
        world.state().dice = Dice(seed);
        let some = world.restart(Tail::Subset);
        // A rename is whole.
        assert_ne!(read(&some, "/kept").is_some(), read(&some, "/renamed").is_some());
        seen.insert((read(&some, "/made").is_some(), read(&some, "/kept").is_some()));
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_rename_between_directories_is_durable_with_either() {
    for synced in ["/from", "/to"] {
        let world = World::new(1);
        let sys = fs(&world);
        for dir in ["/from", "/to"] {
            sys.create_dir_all(dir.as_ref()).expect("makes a directory");
        }
        sys.open("/from/a".as_ref(), Open::New).expect("makes a file");
        sys.rename("/from/a".as_ref(), "/to/b".as_ref()).expect("renames");
        sys.sync_dir(synced.as_ref()).expect("syncs");
        let after = world.restart(Tail::Lost);
        assert!(read(&after, "/from/a").is_none() && read(&after, "/to/b").is_some());
    }
}

#[test]
fn a_crash_ends_all_calls_and_frees_locks() {
    let world = World::new(1);
    let file = durable_file(&world, "/a", b"durable");
    let lock = fs(&world).lock("/lock".as_ref()).expect("locks");
    assert!(lock.is_some());
    assert!(fs(&world).lock("/lock".as_ref()).expect("asks").is_none());
    world.crash_at(world.ops() + 2);
    file.write_at(b"DURABLE", 0).expect("writes");
    assert!(is_crash(&file.sync().expect_err("crashes")));
    assert!(world.crashed());
    assert!(is_crash(&fs(&world).metadata("/a".as_ref()).expect_err("has crashed")));
    assert!(is_crash(&file.read_at(&mut [0], 0).expect_err("has crashed")));

    let after = world.restart(Tail::Lost);
    assert_eq!(after.ops(), 0);
    assert_eq!(read(&after, "/a").as_deref(), Some(&b"durable"[..]));
    assert!(fs(&after).lock("/lock".as_ref()).expect("locks").is_some());
    assert!(is_crash(&file.metadata().expect_err("is of the machine that crashed")));
}

#[test]
fn a_killed_process_leaves_what_it_wrote_and_nothing_more_durable() {
    let world = World::new(1);
    let file = durable_file(&world, "/a", b"durable");
    file.write_at(b"DURABLE", 0).expect("writes");
    let lock = fs(&world).lock("/lock".as_ref()).expect("locks");
    let after = world.kill();
    assert!(is_crash(&file.sync().expect_err("is dead")) && lock.is_some());
    assert!(fs(&after).lock("/lock".as_ref()).expect("locks").is_some());
    assert_eq!(read(&after, "/a").as_deref(), Some(&b"DURABLE"[..]));
    assert_eq!(read(&after.restart(Tail::Lost), "/a").as_deref(), Some(&b"durable"[..]));
    let synced = world.kill();
    fs(&synced).open("/a".as_ref(), Open::Write).expect("opens").sync().expect("syncs");
    assert_eq!(read(&synced.restart(Tail::Lost), "/a").as_deref(), Some(&b"DURABLE"[..]));
}

#[test]
fn a_failed_sync_drops_what_was_not_synced() {
    for seed in 0..8 {
        let world = World::new(seed);
        let file = durable_file(&world, "/a", b"durable");
        file.write_at(b"DURABLE", 0).expect("writes");
        world.fail(world.ops() + 1..=world.ops() + 1, Fault::Io);
        assert_eq!(file.sync().expect_err("fails").raw_os_error(), Some(5));
        file.sync().expect("claims to have synced");
        assert_eq!(read(&world.restart(Tail::Kept), "/a").as_deref(), Some(&b"durable"[..]));
    }
}

#[test]
fn a_full_disk_takes_what_fits_and_goes_on_when_there_is_space() {
    let world = World::new(1);
    let file = durable_file(&world, "/a", &[1; 100]);
    world.set_space(Some(150));
    assert_eq!(fs(&world).free("/".as_ref()).expect("is known"), 50);
    let full = file.write_at(&[2; 100], 100).expect_err("is full");
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.metadata().expect("is known").len, 150);
    file.write_at(&[3; 150], 0).expect("overwrites");
    assert!(file.set_len(151).is_err());
    world.set_space(Some(200));
    file.write_at(&[2; 50], 150).expect("fits");
    fs(&world).unlink("/a".as_ref()).expect("removes");
    assert_eq!(fs(&world).free("/".as_ref()).expect("is known"), 200);
}

#[test]
fn inode_numbers_are_given_again_with_another_generation() {
    let world = World::new(1);
    let sys = fs(&world);
    durable_file(&world, "/a", b"a");
    let before = sys.metadata("/a".as_ref()).expect("is known");
    sys.link("/a".as_ref(), "/b".as_ref()).expect("links");
    sys.unlink("/a".as_ref()).expect("removes");
    let linked = sys.metadata("/b".as_ref()).expect("is known");
    assert_eq!((linked.inode, linked.generation, linked.links), (before.inode, before.generation, 1));
    sys.unlink("/b".as_ref()).expect("removes");
    durable_file(&world, "/c", b"c");
    let reused = sys.metadata("/c".as_ref()).expect("is known");
    assert_eq!(reused.inode, before.inode);
    assert_ne!(reused.generation, before.generation);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let run = |seed| {
        let world = World::new(seed);
        let file = durable_file(&world, "/a", b"");
        file.write_at(&[1; 5000], 0).expect("writes");
        let after = world.restart(Tail::Subset);
        let bytes = read(&after, "/a");
        (bytes, after.sys().random.id())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn time_passes_when_told() {
    let world = World::new(1);
    let clock = world.sys().clock;
    let before = clock.now();
    world.advance(Duration::from_secs(1));
    assert_eq!(clock.now() - before, 1_000_000_000);
    world.set_now(before - 5);
    assert_eq!((clock.now(), clock.monotonic()), (before - 5, Duration::from_secs(1)));
    fs(&world).open(Path::new("/a"), Open::New).expect("makes a file");
    assert_eq!(fs(&world).metadata("/a".as_ref()).expect("is known").birth, before - 5);
}
