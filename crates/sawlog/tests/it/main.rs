//! sawlog from outside: the real binary over real files and sockets.
//!
//! - `commands`: import, search, export, store, check, as a user calls them
//! - `live`: a node with a followed file, a forward sender and HTTP
//! - `crash`: kill -9 again and again, and nothing is lost or doubled
//! - `agent`: the leaf node in front of a node
//! - `fleet`: local nodes of BlueOx in front of a central one
//! - `events`: application events, from the Rust library to the terminal
//! - `examples`: the scripts of docs/examples
//! - `loggers`: loggers by command, and what they keep no longer
//! - `maps`: values and types, everywhere
//! - `disk`: who holds the directory, and what is left in it
//! - `hostile`: bad input beside good
//! - `operate`: dead letters, reload, status, tap
//! - `reload`: a changed configuration while the node runs
//! - `secure`: HTTP over TLS, and what goes over nothing else
//! - `tenants`: tenants and tokens, and that none sees anything of another
//! - `weight`: what an idle node costs
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests from outside use the real machine"
)]

mod agent;
mod commands;
mod crash;
mod disk;
mod events;
mod examples;
mod fleet;
mod forward;
mod hostile;
mod live;
mod loggers;
mod maps;
mod node;
mod normalize;
mod operate;
mod reload;
mod secure;
mod tenants;
mod weight;
