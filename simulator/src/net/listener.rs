//! The three accept loops, each of which can go away and come back at the same address.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::{Conn, Meter};
use crate::call::Host;
use crate::state::Inner;

/// A bound address of one host.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    /// Bound and never listening: while the host refuses, nobody else gets its port.
    _reserved: TcpSocket,
    open: Mutex<Option<CancellationToken>>,
}

/// All three.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) api: Listener,
    pub(crate) storage: Listener,
    pub(crate) artifacts: Listener,
}

impl Listeners {
    pub(crate) fn of(&self, host: Host) -> &Listener {
        match host {
            Host::Api => &self.api,
            Host::Storage => &self.storage,
            Host::Artifacts => &self.artifacts,
        }
    }
}

impl Listener {
    /// Binds, without accepting yet. Port 0 takes a free one.
    pub(crate) fn bind(port: u16) -> io::Result<(Self, TcpListener)> {
        let reserved = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let address = reserved.local_addr()?;
        let socket = listen(address)?;
        Ok((Self { address, _reserved: reserved, open: Mutex::new(None) }, socket))
    }

    /// Starts to accept.
    pub(crate) fn accept(&self, socket: TcpListener, host: Host, inner: &Arc<Inner>) {
        let token = inner.shutdown.child_token();
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        tokio::spawn(accept_loop(socket, host, Arc::clone(inner), token));
    }

    /// Closes the socket and every connection: clients are refused from now on.
    pub(crate) fn close(&self) {
        if let Some(token) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() {
            token.cancel();
        }
    }

    /// Binds the same address again.
    pub(crate) fn reopen(&self, host: Host, inner: &Arc<Inner>) -> io::Result<()> {
        self.close();
        self.accept(listen(self.address)?, host, inner);
        Ok(())
    }
}

/// A listening socket; the address may still be in use by connections of its predecessor.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(1024)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept_loop(socket: TcpListener, host: Host, inner: Arc<Inner>, token: CancellationToken) {
    let meter = inner.config.throttle.get(&host).copied().map(Meter::new);
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let conn = Conn::new(stream, &token);
        let io = conn.io(meter.clone());
        let inner = Arc::clone(&inner);
        if inner.with(|s| s.resets.take(host)) {
            conn.reset_on_drop();
            continue;
        }
        tokio::spawn(serve(io, conn, host, inner));
    }
}

async fn serve<I: AsyncRead + AsyncWrite + Unpin>(io: I, conn: Conn, host: Host, inner: Arc<Inner>) {
    let gone = conn.gone().clone();
    let service = service_fn(move |request| {
        let (inner, conn) = (Arc::clone(&inner), conn.clone());
        async move { Ok::<_, Infallible>(crate::exchange::exchange(inner, host, conn, request).await) }
    });
    let serving = http1::Builder::new().half_close(false).serve_connection(TokioIo::new(io), service);
    tokio::select! {
        () = gone.cancelled() => {}
        _ = serving => {}
    }
}
