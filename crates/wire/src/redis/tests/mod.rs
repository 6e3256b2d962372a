//! Tests of the output against a server by the script, of the input against a real one.

mod input;
mod output;
