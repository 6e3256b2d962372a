//! placeholder
use anyhow::Result;
use std::path::Path;
pub fn run(_root: &Path, _sets: &[String]) -> Result<bool> {
    Ok(true)
}
