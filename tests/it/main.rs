//! The built program as its users run it, against the simulator; and the rules of the house.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod attach;
mod audit;
mod background;
#[cfg(unix)]
mod blocked;
mod bugs;
mod catalogue;
mod circles;
mod comment;
mod contract;
mod deadline;
mod delta;
mod demo;
mod disk;
mod doctor;
mod exits;
mod faults;
mod house;
mod ids;
mod init;
mod kills;
mod late_jobs;
mod leaks;
mod link;
mod manners;
mod mistakes;
mod network;
mod parallel;
mod players;
mod reference;
mod replay;
mod replies;
mod report;
mod rerun;
mod rerun_plans;
mod results;
mod schema;
mod secrets;
mod sinks;
mod stage;
mod starts;
mod story;
mod terminal;
mod trust;
mod verdicts;
