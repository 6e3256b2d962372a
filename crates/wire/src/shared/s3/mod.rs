//! A client of S3 and of what speaks as it does. Knows nothing of what is in objects.

mod bucket;
mod listing;
mod objects;
mod sign;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use self::bucket::{Bucket, CHUNK, Place, Put, set};
pub(crate) use self::listing::page as fuzz_listing;
pub(crate) use self::sign::Credentials;
