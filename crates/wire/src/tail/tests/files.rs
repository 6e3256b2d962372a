//! Files that grow, are rotated, truncated, removed, and nodes that crash meanwhile.

use super::*;

#[test]
fn a_growing_file_is_followed_and_an_unfinished_line_is_held_back() {
    let node = Node::new();
    let (output, _life) = node.followed("*.log", 3);
    node.append("app.log", "half");
    a_while();
    assert_eq!(output.lines(), lines(0, 3));
    node.append("app.log", " whole\nnext\n");
    assert_eq!(output.wait_for_rows(5)[3..], ["half whole\n", "next\n"]);
    let rows = output.rows();
    assert_eq!(rows[3].address.offset, text(0, 3).len() as u64);
    assert_eq!(rows[3].name, path_text(&node.log("app.log")));
}

#[test]
fn new_files_and_directories_are_found_without_a_rescan() {
    let node = Node::new();
    let output = Collect::new("store");
    let given = [
        ("paths", vec![path_text(&node.log("**/*.log"))]),
        ("exclude", vec![path_text(&node.log("**/not*"))]),
        ("rescan", vec!["1h".to_owned()]),
    ];
    let _life = node.start_with(&output, &given);
    node.append("not.log", "no\n");
    node.append("a.txt", "no\n");
    node.append("a.log", "a\n");
    output.wait_for_rows(1);
    node.sys.fs.create_dir_all(&node.log("deep/er")).unwrap();
    node.append("deep/er/b.log", "b\n");
    assert_eq!(output.wait_for_rows(2), ["a\n", "b\n"]);
    node.append("deep/er/b.log", "c\n");
    assert_eq!(output.wait_for_rows(3)[2], "c\n");
}

#[test]
fn from_the_end_only_what_comes_is_read() {
    let node = Node::new();
    node.append("app.log", &text(0, 3));
    let output = Collect::new("store");
    let given =
        [("paths", vec![path_text(&node.log("app.log"))]), ("from_beginning", vec!["false".to_owned()])];
    let life = node.start_with(&output, &given);
    a_while();
    node.append("app.log", &text(3, 4));
    assert_eq!(output.wait_for_rows(1), lines(3, 4));
    drop(life);
}

#[test]
fn a_restart_goes_on_at_the_exact_byte_whatever_was_committed() {
    for committed in [false, true] {
        let mut node = Node::slow();
        node.append("app.log", &text(0, 3));
        let mut output = Collect::new("store");
        let life = node.start(&output, "app.log");
        output.wait_for_rows(3);
        if committed {
            output.commit();
        }
        node.append("app.log", "unfinished");
        a_while();
        output = node.crash(life, &output);
        assert_eq!(output.lines().len(), if committed { 3 } else { 0 });
        node.append("app.log", " line\n");
        let _life = node.start(&output, "app.log");
        output.wait_for_rows(4);
        a_while();
        assert_eq!(output.lines(), [lines(0, 3), vec!["unfinished line\n".to_owned()]].concat());
    }
}

#[test]
fn late_journaled_rows_are_not_read_again() {
    let mut node = Node::new();
    let (output, life) = node.followed("app.log", 3);
    wait_until("late journaling", || output.counts().1 > 0);
    let output = node.crash(life, &output);
    node.append("app.log", &text(3, 5));
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(5);
    a_while();
    assert_eq!(output.lines(), lines(0, 5));
    let rows = output.rows();
    assert!(rows.windows(2).all(|pair| pair[0].address < pair[1].address));
    assert_eq!(rows[0].address.source, rows[4].address.source);
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_its_rows_are_durable_at_once() {
    let mut node = Node::slow();
    let (output, life) = node.followed("app.log", 3);
    node.rename("app.log", "app.log.1");
    wait_until("settling", || output.counts().1 > 0);
    node.append("app.log.1", &text(3, 4));
    node.append("app.log", &text(4, 6));
    output.wait_for_rows(6);
    let mut have = output.lines();
    have.sort();
    assert_eq!(have, lines(0, 6));
    let rows = output.rows();
    let sources: std::collections::BTreeSet<_> = rows.iter().map(|row| row.address.source).collect();
    assert_eq!(sources.len(), 2);
    let output = node.crash(life, &output);
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(6);
    a_while();
    let mut have = output.lines();
    have.sort();
    assert_eq!(have, lines(0, 6));
}

#[test]
fn a_file_renamed_while_the_node_was_down_is_read_to_its_end() {
    let mut node = Node::new();
    let (output, life) = node.followed("*.log", 3);
    output.commit();
    let output = node.crash(life, &output);
    node.append("app.log", &text(3, 5));
    node.rename("app.log", "app.log.1");
    node.append("app.log", &text(5, 7));
    let _life = node.start(&output, "*.log");
    output.wait_for_rows(7);
    a_while();
    let mut have = output.lines();
    have.sort();
    assert_eq!(have, lines(0, 7));
}

#[test]
fn a_file_rotated_before_it_was_seen_is_read() {
    let node = Node::new();
    let output = Collect::new("store");
    let _life = node.start(&output, "app.log");
    a_while();
    for rotation in 1..20 {
        node.append("app.log", &text(rotation, rotation + 1));
        node.rename("app.log", &format!("app.log.{rotation}"));
    }
    output.wait_for_rows(19);
}

#[test]
fn files_that_came_and_went_while_the_node_was_down_are_read_and_older_ones_are_not() {
    let mut node = Node::new();
    node.append("app.log.9", "older\n");
    let (output, life) = node.followed("app.log", 1);
    output.commit();
    let output = node.crash(life, &output);
    for rotation in 1..4 {
        node.rename("app.log", &format!("app.log.{rotation}"));
        node.append("app.log", &text(rotation, rotation + 1));
    }
    node.gzip("app.log.2");
    node.append("app.log.2.gz", "");
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(4);
    a_while();
    let mut have = output.lines();
    have.sort();
    assert_eq!(have, lines(0, 4));
}

#[test]
fn a_truncated_file_begins_a_new_epoch() {
    let node = Node::new();
    let (output, _life) = node.followed("app.log", 3);
    node.truncate("app.log");
    node.append("app.log", "again\n");
    assert_eq!(output.wait_for_rows(4)[3], "again\n");
    let rows = output.rows();
    assert_eq!(rows[3].address.source, rows[0].address.source);
    assert_eq!((rows[3].address.epoch, rows[3].address.offset), (1, 0));
}

#[test]
fn rows_of_a_truncated_file_are_durable_before_its_next_epoch() {
    let mut node = Node::slow();
    let (output, life) = node.followed("app.log", 3);
    node.truncate("app.log");
    node.append("app.log", "again\n");
    output.wait_for_rows(4);
    let output = node.crash(life, &output);
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(4);
    assert_eq!(output.lines()[3], "again\n");
}

#[test]
fn a_file_rewritten_longer_while_the_node_was_down_begins_a_new_epoch() {
    let mut node = Node::new();
    let (output, life) = node.followed("app.log", 3);
    output.commit();
    let output = node.crash(life, &output);
    node.truncate("app.log");
    node.append("app.log", &text(10, 20));
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(13);
    assert_eq!(output.lines(), [lines(0, 3), lines(10, 20)].concat());
    assert_eq!(output.rows()[3].address.epoch, 1);
}

#[test]
fn copytruncate_loses_nothing_that_was_copied() {
    let node = Node::new();
    node.append("app.log", &text(0, 3));
    let output = Collect::new("store");
    output.set_later(false);
    let life = node.start(&output, "app.log");
    output.wait_for_rows(3);
    drop(life);
    // While nobody looks: more lines, the copy, the truncation, new lines.
    node.append("app.log", &text(3, 5));
    node.append("app.log", "unfinished");
    node.copy("app.log", "app.log.1");
    node.truncate("app.log");
    node.append("app.log", &text(5, 6));
    let output = {
        output.commit();
        output.crashed()
    };
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(6);
    a_while();
    let mut have = output.lines();
    have.sort();
    assert_eq!(have, lines(0, 6), "what the copy does not end with a line is not a line");
}

#[test]
fn a_copy_that_is_followed_too_is_not_read_twice() {
    let node = Node::new();
    let (output, _life) = node.followed("app.log*", 100);
    node.copy("app.log", "app.log.1");
    task::sleep(Duration::from_secs(4));
    node.truncate("app.log");
    node.append("app.log", &text(100, 110));
    output.wait_for_rows(110);
    a_while();
    assert_eq!(output.lines(), lines(0, 110));
}

#[test]
fn another_generation_under_a_rotated_name_is_read() {
    let node = Node::new();
    // Both begin with the same lines, as logs do that begin with a banner.
    node.append("app.log.1", &(text(0, 50) + &text(100, 110)));
    node.append("app.log", &(text(0, 50) + &text(200, 210)));
    let output = Collect::new("store");
    let _life = node.start(&output, "app.log*");
    assert_eq!(output.wait_for_rows(120).len(), 120);
}

#[test]
fn a_removed_file_is_read_to_its_end_and_one_of_the_same_name_is_new() {
    let mut node = Node::slow();
    let (output, life) = node.followed("app.log", 3);
    let held = node.sys.fs.open(&node.log("app.log"), Open::Write).unwrap();
    node.unlink("app.log");
    let len = held.metadata().unwrap().len;
    held.write_at(text(3, 4).as_bytes(), len).unwrap();
    drop(held);
    node.append("app.log", &text(4, 6));
    output.wait_for_rows(6);
    let mut have = output.lines();
    have.sort();
    assert_eq!(have, lines(0, 6));
    let rows = output.rows();
    assert_ne!(
        rows[0].address.source,
        rows.iter().find(|row| row.raw == b"line 5\n").unwrap().address.source
    );
    // The removed file's rows outlive a crash though nothing was committed.
    wait_until("settling", || output.counts().1 > 0);
    let output = node.crash(life, &output);
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(5);
}

#[test]
fn a_reused_inode_is_a_new_source() {
    let mut node = Node::new();
    let (output, life) = node.followed("app.log", 3);
    output.commit();
    let output = node.crash(life, &output);
    node.unlink("app.log");
    node.append("app.log", &text(10, 20));
    let _life = node.start(&output, "app.log");
    output.wait_for_rows(13);
    assert_eq!(output.lines(), [lines(0, 3), lines(10, 20)].concat());
}

#[test]
fn a_file_compressed_while_half_read_is_read_to_its_end() {
    let mut node = Node::new();
    let (output, life) = node.followed("app.log", 300);
    output.commit();
    let output = node.crash(life, &output);
    node.append("app.log", &text(300, 500));
    node.rename("app.log", "app.log.1");
    node.gzip("app.log.1");
    node.append("app.log", &text(500, 600));
    let life = node.start(&output, "app.log");
    output.wait_for_rows(600);
    a_while();
    let mut have = output.lines();
    have.sort_by_key(|line| line[5..].trim().parse::<usize>().unwrap());
    assert_eq!(have, lines(0, 600));
    let one = |line: &[u8]| output.rows().iter().find(|row| row.raw == line).unwrap().address;
    assert_eq!(one(b"line 0\n").source, one(b"line 499\n").source);
    assert_ne!(one(b"line 0\n").source, one(b"line 500\n").source);
    output.commit();
    let output = node.crash(life, &output);
    let _life = node.start(&output, "app.log");
    a_while();
    assert_eq!(output.lines().len(), 600);
}

#[test]
fn compressed_files_that_are_asked_for_are_read_once() {
    let mut node = Node::new();
    node.write_bytes("app.log.2.gz", &gzip(text(0, 100).as_bytes()));
    node.append("app.log.1", &text(100, 200));
    node.append("app.log", &text(200, 300));
    let output = Collect::new("store");
    let life = node.start(&output, "app.log*");
    output.wait_for_rows(300);
    node.gzip("app.log.1");
    task::sleep(Duration::from_secs(9));
    assert_eq!(output.lines().len(), 300);
    output.commit();
    let output = node.crash(life, &output);
    let _life = node.start(&output, "app.log*");
    task::sleep(Duration::from_secs(3));
    let mut have = output.lines();
    have.sort_by_key(|line| line[5..].trim().parse::<usize>().unwrap());
    assert_eq!(have, lines(0, 300));
}

#[test]
fn a_link_is_followed_to_its_file_and_to_the_next_one() {
    let node = Node::new();
    node.sys.fs.create_dir_all(&node.log("pods")).unwrap();
    node.sys.fs.create_dir_all(&node.log("links")).unwrap();
    node.append("pods/0.log", &text(0, 1));
    std::os::unix::fs::symlink(node.log("pods/0.log"), node.log("links/app.log")).unwrap();
    let output = Collect::new("store");
    let _life = node.start(&output, "links/*.log");
    output.wait_for_rows(1);
    node.append("pods/0.log", &text(1, 2));
    output.wait_for_rows(2);
    node.rename("pods/0.log", "pods/0.log.20260101");
    node.append("pods/0.log", &text(2, 3));
    assert_eq!(output.wait_for_rows(3), lines(0, 3));
}

#[test]
fn a_large_file_is_read_in_order() {
    let node = Node::new();
    node.append("app.log", &text(0, 400_000));
    let output = Collect::new("store");
    let life = node.start(&output, "app.log");
    output.wait_for_rows(400_000);
    drop(life);
    assert!(output.lines() == lines(0, 400_000));
    let status = output.rows();
    assert!(status.windows(2).all(|pair| pair[0].address < pair[1].address));
}

#[test]
fn large_files_are_read_at_once_and_each_in_order() {
    let node = Node::new();
    let count = 200_000;
    for name in ["a.log", "b.log", "c.log"] {
        node.append(name, &text(0, count));
    }
    let output = Collect::new("store");
    let _life = node.start(&output, "*.log");
    wait_until("all rows", || output.rows().len() == 3 * count);
    let rows = output.rows();
    let mut switches = 0;
    for pair in rows.windows(2) {
        switches += usize::from(pair[0].name != pair[1].name);
    }
    for name in ["a.log", "b.log", "c.log"] {
        let name = path_text(&node.log(name));
        let offsets: Vec<u64> =
            rows.iter().filter(|row| row.name == name).map(|row| row.address.offset).collect();
        assert!(offsets.len() == count && offsets.is_sorted_by(|a, b| a < b), "{name}");
    }
    // One after the other there would be one switch less than there are files.
    assert!(task::cores() < 2 || switches > 2, "{switches} switches between files");
}

#[test]
fn a_file_is_read_no_faster_than_its_limit_and_to_its_end_also_without_a_name() {
    let node = Node::new();
    let all = text(0, 2_000);
    let rate = all.len() / 2 - 100;
    node.append("app.log", &all);
    let output = Collect::new("store");
    let given = [
        ("paths", vec![path_text(&node.log("app.log"))]),
        ("read_bytes_limit_per_second", vec![rate.to_string()]),
    ];
    let clock = node.sys.clock.clone();
    let began = clock.monotonic();
    let _life = node.start_with(&output, &given);
    output.wait_for_rows(1);
    let first: usize = output.lines().iter().map(String::len).sum();
    let since = clock.monotonic() - began;
    assert!(first <= rate || since >= Duration::from_secs(1), "{first} of {rate} bytes in {since:?}");
    node.unlink("app.log");
    assert_eq!(output.wait_for_rows(2_000), lines(0, 2_000));
    let took = clock.monotonic() - began;
    assert!(took >= Duration::from_secs(2), "a rest that is over two seconds' bytes came in {took:?}");
}
