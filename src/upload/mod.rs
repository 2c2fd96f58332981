//! The upload engine: a file or folder becomes a stored build, at the speed of the link and in memory that does not depend on its size.
//! Touches the build, one nameless temporary file for a zipped folder, and, through `api`, the service and its storage.

mod body;
mod content;
mod error;
mod finish;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/upload.rs"]
pub(crate) mod fuzz;
mod hash;
mod ignore;
mod journal;
mod keep_out;
mod links;
mod multipart;
mod open;
mod pace;
mod patience;
mod precheck;
mod progress;
mod put;
mod request;
mod reuse;
mod send;
mod source;
mod split;
mod stamp;
mod temp;
mod transfer;
mod tree;
mod zip;

#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use error::UploadError;
pub(crate) use journal::{Journal, NoJournal};
pub(crate) use keep_out::KeepOut;
pub(crate) use patience::Patience;
pub(crate) use request::Upload;
pub(crate) use reuse::Purpose;
pub(crate) use reuse::{Wanted, find as find_stored};
pub(crate) use source::{Inspected, Places, Prepared, inspect};
pub(crate) use split::reservation;
