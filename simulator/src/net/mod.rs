//! Sockets: accept loops that can be paused, connections that can be reset, throttling, response bodies.

mod body;
mod connection;
mod listener;

pub(crate) use body::{Body, SimError, cut, full, repeat, slow};
pub(crate) use connection::{Conn, Meter};
pub(crate) use listener::{Listener, Listeners, Service};
