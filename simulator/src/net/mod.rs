//! Sockets: accept loops that can be paused, connections that can be reset, throttling, response bodies.

mod body;
mod connection;
mod listener;
mod tls;

pub(crate) use body::{Body, SimError, cut, full, slow, unlimited, zeros};
pub(crate) use connection::{Conn, ConnIo, Meter};
pub(crate) use listener::{Listener, Listeners};
pub(crate) use tls::acceptor;
