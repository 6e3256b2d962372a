//! Every example of docs/query.md is run: what it says it finds is what it finds.
