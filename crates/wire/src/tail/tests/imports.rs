//! Files that are read once.

use std::io::Write;

use sawlog_pipeline::testing::Collect;

use super::super::{ImportError, ImportOptions, Imported, Importer, LineOptions, Packing, Progress};
use super::*;

fn import(node: &Node, output: &Arc<Collect>, name: &str, again: bool) -> Result<Imported, ImportError> {
    import_all(node, output, &[name], again).remove(0)
}

fn import_all(
    node: &Node,
    output: &Arc<Collect>,
    names: &[&str],
    again: bool,
) -> Vec<Result<Imported, ImportError>> {
    let pipeline = node.pipeline(output);
    let lines = LineOptions {
        format: Some("text".to_owned()),
        multiline: Some(false),
        host: "here".to_owned(),
        ..LineOptions::default()
    };
    let options = ImportOptions { lines, again, ..ImportOptions::default() };
    let importer = Importer::new(&node.sys, pipeline.intake("import"), Stop::default(), options);
    let results = names.iter().map(|name| importer.file(&node.log(name), &mut |_| {})).collect();
    pipeline.stop();
    results
}

fn packed(packing: Packing, bytes: &[u8]) -> Vec<u8> {
    match packing {
        Packing::Plain => bytes.to_vec(),
        Packing::Gzip => gzip(bytes),
        Packing::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        Packing::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

#[test]
fn every_packing_gives_the_same_rows_and_a_second_time_adds_nothing() {
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd, Packing::Bzip2, Packing::Xz] {
        let node = Node::new();
        // Two members, streams or frames: all of them are read.
        let bytes =
            [packed(packing, text(0, 5_000).as_bytes()), packed(packing, text(5_000, 9_000).as_bytes())];
        node.write_bytes("app.log.7", &bytes.concat());
        let output = Collect::new("store");
        let first = import(&node, &output, "app.log.7", false).unwrap();
        assert_eq!((first.packing, first.known_bytes), (packing, 0));
        let len = text(0, 9_000).len() as u64;
        let file_bytes = bytes.concat().len() as u64;
        assert_eq!(
            first.progress,
            Progress { file_bytes, file_len: file_bytes, raw_bytes: len, rows: 9_000 }
        );
        assert!(output.lines() == lines(0, 9_000), "{packing:?}");
        output.commit();
        let second = import(&node, &output, "app.log.7", false).unwrap();
        assert_eq!((second.progress.rows, second.known_bytes), (0, len));
        assert_eq!(second.source, first.source);
        assert_eq!(output.lines().len(), 9_000);
        let third = import(&node, &output, "app.log.7", true).unwrap();
        assert_eq!(third.progress.rows, 9_000);
        assert_ne!(third.source, first.source);
    }
}

#[test]
fn a_file_that_was_followed_and_then_compressed_adds_nothing_but_its_rest() {
    let mut node = Node::new();
    let (output, life) = node.followed("app.log", 300);
    output.commit();
    let output = node.crash(life, &output);
    node.append("app.log", &text(300, 400));
    node.rename("app.log", "app.log.1");
    node.gzip("app.log.1");
    let imported = import(&node, &output, "app.log.1.gz", false).unwrap();
    assert_eq!(imported.progress.rows, 100);
    assert_eq!(output.lines(), lines(0, 400));
    let rows = output.rows();
    assert!(rows.windows(2).all(|pair| pair[0].address < pair[1].address));
}

#[test]
fn a_file_fetched_anew_under_the_same_name_adds_only_what_it_has_more() {
    let node = Node::new();
    node.append("app.log", &text(0, 300));
    let output = Collect::new("store");
    import(&node, &output, "app.log", false).unwrap();
    output.commit();
    node.unlink("app.log");
    node.append("app.log", &text(0, 350));
    assert_eq!(import(&node, &output, "app.log", false).unwrap().progress.rows, 50);
    assert_eq!(output.lines(), lines(0, 350));
    output.commit();
    node.unlink("app.log");
    node.append("app.log", &text(1000, 1300));
    assert_eq!(import(&node, &output, "app.log", false).unwrap().progress.rows, 300);
}

#[test]
fn a_file_that_changed_in_place_is_a_new_epoch() {
    let node = Node::new();
    let output = Collect::new("store");
    for (from, epoch) in [(0, 0), (500, 1)] {
        node.write_bytes("a.gz", &gzip(text(from, from + 300).as_bytes()));
        import(&node, &output, "a.gz", false).unwrap();
        output.commit();
        assert_eq!(output.rows().last().unwrap().address.epoch, epoch);
    }
    assert_eq!(output.lines().len(), 600);
}

#[test]
fn the_same_file_under_two_names_is_read_once_and_an_unfinished_last_line_is_a_row() {
    let node = Node::new();
    node.append("a.log", "one\ntwo");
    node.sys.fs.link(&node.log("a.log"), &node.log("b.log")).unwrap();
    let output = Collect::new("store");
    let results = import_all(&node, &output, &["a.log", "b.log"], false);
    assert_eq!(output.lines(), ["one\n", "two"]);
    assert_eq!(results[1].as_ref().unwrap().source, None);
}

#[test]
fn damage_and_what_is_no_file_are_told_and_what_came_before_stays() {
    let node = Node::new();
    let bytes = gzip(text(0, 300_000).as_bytes());
    node.write_bytes("cut.gz", &bytes[..bytes.len() / 2]);
    let output = Collect::new("store");
    let results = import_all(&node, &output, &["cut.gz", "", "absent"], false);
    assert!(matches!(&results[0], Err(ImportError::Io { .. })), "{:?}", results[0]);
    assert!(matches!(&results[1], Err(ImportError::NotAFile(_))));
    assert!(matches!(&results[2], Err(ImportError::Io { .. })));
    let have = output.lines();
    assert!(have.len() > 1_000 && have[..] == lines(0, have.len())[..]);
    output.commit();
    node.write_bytes("cut.gz", &bytes);
    import(&node, &output, "cut.gz", false).unwrap();
    assert!(output.lines() == lines(0, 300_000));
}

#[test]
fn an_output_that_takes_nothing_ends_the_import_with_its_words() {
    let mut node = Node::new();
    node.options.late_after = None;
    node.append("a.log", "one\n");
    let output = Collect::new("store");
    output.set_refuse(true);
    import(&node, &output, "a.log", false).unwrap();
    assert!(output.lines().is_empty());
    let stop = Stop::default();
    stop.request();
    let pipeline = node.pipeline(&output);
    let importer = Importer::new(&node.sys, pipeline.intake("import"), stop, ImportOptions::default());
    let result = importer.file(&node.log("a.log"), &mut |_| {});
    assert!(matches!(result, Err(ImportError::Stopped)));
}
