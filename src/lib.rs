//! nunu-ci uploads a build to nunu.ai, starts AI play-tests on real devices, follows them to their end and fails the CI job honestly.
//!
//! The house, from top to bottom; imports only go down and neighbours do not import each other:
//!
//! ```text
//! main.rs    door: arguments and environment in, exit code out
//! flow/      preflight, upload, start, watch, stop, report: the story in order
//! config/    arguments, inputs, file, plan: all the user said -> one Plan
//! upload/    source, hash, zip, split, parts, progress
//! ci/        detect, version control, host files, console, escaping
//! report/    markdown, junit, json, annotations, write
//! api/       one method per endpoint, wire types of every generation
//! http/      client, retry, redaction, diagnostics
//! disk/      files of ours: created anew, read within bounds
//! model/     build, run, report, verdict, failure, units: plain types
//! ```
//!
//! `main -> flow -> {config, upload, api, ci, report}`, `upload -> api -> http`, everything `-> model, disk`.

pub mod api;
pub mod ci;
pub mod config;
pub mod disk;
pub mod flow;
pub mod http;
pub mod model;
pub mod report;
pub mod upload;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
