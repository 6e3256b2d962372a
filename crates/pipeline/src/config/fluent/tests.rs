//! What the files may hold, and what their author is told.

use std::path::Path;

use sawlog_sys::Sys;

use super::*;

mod route;
mod syntax;
