//! The forward protocol: its samples and what every protocol must keep.

#[test]
fn conforms() {
    assert_eq!(sawlog_pipeline::conform::check(&super::PROTOCOL, 1), Ok(()));
}
