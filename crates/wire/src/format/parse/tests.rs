//! What configured parsers make of lines: the records that Fluentd makes.

mod engines;
mod records;
mod times;
