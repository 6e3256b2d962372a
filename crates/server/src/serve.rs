//! Connections: accepts them, and lets them end when the node stops. Knows nothing of routes.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use sawlog_sys::net::TcpListener;
use tokio::sync::oneshot;

/// How long answers that are being sent may go on after the node was asked to stop. A live tail never ends by itself.
const GRACE: Duration = Duration::from_secs(2);

/// Answers on `listener` until `stop` resolves; then takes no more connections, and returns when the answers under way
/// are sent, or two seconds later.
///
/// # Errors
/// As the system says of the listener.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let asked = async move {
        stop.await;
        let _ = stopping.send(());
    };
    let listener = listener.tap_io(|stream| {
        // Records of a live tail are small writes that should not wait for each other.
        let _ = stream.set_nodelay(true);
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(asked);
    let late = async move {
        // An error means that the server ended first, which the other branch tells.
        match stopped.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        result = served => result,
        () = late => Ok(()),
    }
}
