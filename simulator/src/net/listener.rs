//! The three accept loops, each of which can go away and come back at the same address.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Conn, Meter};
use crate::call::Host;
use crate::state::Inner;

/// A bound address of one host.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
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
    /// Binds, without accepting yet.
    pub(crate) async fn bind(ip: IpAddr, port: u16) -> io::Result<(Self, TcpListener)> {
        let socket = TcpListener::bind((ip, port)).await?;
        Ok((Self { address: socket.local_addr()?, open: Mutex::new(None) }, socket))
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
    pub(crate) async fn reopen(&self, host: Host, inner: &Arc<Inner>) -> io::Result<()> {
        self.close();
        let socket = TcpListener::bind(self.address).await?;
        self.accept(socket, host, inner);
        Ok(())
    }
}

async fn accept_loop(socket: TcpListener, host: Host, inner: Arc<Inner>, token: CancellationToken) {
    let throttle = inner.config.throttle(host);
    let total = throttle.total.map(Meter::new);
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let meters = total.iter().cloned().chain(throttle.per_connection.map(Meter::new)).collect();
        let conn = Conn::new(stream, &token);
        let io = conn.io(meters);
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            match inner.config.tls.clone() {
                None => serve(io, conn, host, inner).await,
                Some(tls) => {
                    if let Ok(io) = tls.accept(io).await {
                        serve(io, conn, host, inner).await;
                    }
                }
            }
        });
    }
}

async fn serve<I: AsyncRead + AsyncWrite + Unpin>(io: I, conn: Conn, host: Host, inner: Arc<Inner>) {
    let gone = conn.gone().clone();
    let service = service_fn(move |request| {
        let (inner, conn) = (Arc::clone(&inner), conn.clone());
        async move { Ok::<_, Infallible>(crate::api::exchange(inner, host, conn, request).await) }
    });
    let serving = http1::Builder::new().half_close(false).serve_connection(TokioIo::new(io), service);
    tokio::select! {
        () = gone.cancelled() => {}
        _ = serving => {}
    }
}
