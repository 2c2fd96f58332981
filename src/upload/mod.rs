//! The upload engine: a file or folder becomes a stored build, at the speed of the link and in memory that does not depend on its size.
//! Touches the build, one nameless temporary file for a zipped folder, and, through `api`, the service and its storage.

mod body;
mod complete;
mod content;
mod current_upload;
mod error;
mod fingerprint;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/upload.rs"]
pub(crate) mod fuzz;
mod hash;
mod ignore;
mod inspect;
mod keep_out;
mod links;
mod multipart;
mod parallelism;
mod part_retry;
mod part_urls;
mod parts;
mod precheck;
mod progress;
mod put;
mod request;
mod reuse;
mod send;
mod temp_file;
mod timeouts;
mod transfer;
mod tree;
mod zip;

#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use content::Content;
pub(crate) use current_upload::{NoObserver, UploadObserver};
pub(crate) use error::UploadError;
pub(crate) use inspect::{InspectedBuild, inspect};
pub(crate) use keep_out::KeepOut;
pub(crate) use parts::reservation;
pub(crate) use request::Upload;
pub(crate) use reuse::Purpose;
pub(crate) use reuse::{Wanted, find as find_stored};
pub(crate) use temp_file::TempFolders;
pub(crate) use timeouts::UploadTimeouts;
