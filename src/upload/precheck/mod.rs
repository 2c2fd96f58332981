//! Checks that save an hour: what the service or the device would refuse only after the upload. A doubt never refuses a build.

mod archive;
mod executable;
mod kind;
mod manifest;
mod player;

pub(crate) use archive::archive;
pub(crate) use kind::{extension, file_name, folder, folder_size, size};
pub(crate) use player::{alone, whole};
