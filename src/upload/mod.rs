//! The upload engine: a file or folder becomes a stored build, at the speed of the link and in memory that does not depend on its size.
//! Touches the build, one nameless temporary file for a zipped folder, and, through `api`, the service and its storage.

mod error;
mod hash;
mod ignore;
mod precheck;
mod source;
mod stamp;
mod temp;
mod tree;
mod zip;

pub use error::UploadError;
pub use source::{Inspected, Places, Prepared, inspect};
