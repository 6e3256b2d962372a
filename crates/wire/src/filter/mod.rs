//! Filters, one file or folder each: see README.md. Knows nothing of what calls them.

pub mod grep;
pub mod parser;
pub mod record_transformer;
