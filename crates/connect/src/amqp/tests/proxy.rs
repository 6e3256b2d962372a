//! A wire between a client and the broker that a test can cut, and on which it can keep back what the client says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sawlog_sys::net::{TcpListener, TcpStream};
use sawlog_sys::task;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

pub struct Proxy {
    pub port: u16,
    deaf: Arc<AtomicBool>,
    /// Counts the cuts.
    cut: watch::Sender<u64>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    pub fn new(to: u16) -> Proxy {
        let runtime = task::runtime("proxy", 1).expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (deaf, (cut, cuts)) = (Arc::new(AtomicBool::new(false)), watch::channel(0));
        let hears = deaf.clone();
        runtime.spawn(async move {
            loop {
                let (near, _) = listener.accept().await.expect("a connection");
                let (hears, mut cuts) = (hears.clone(), cuts.clone());
                tokio::spawn(async move {
                    cuts.mark_unchanged();
                    tokio::select! {
                        () = carry(near, to, &hears) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Proxy { port, deaf, cut, _runtime: runtime }
    }

    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/", self.port)
    }

    /// Whether what the client says is kept back from the broker from now on.
    pub fn set_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::SeqCst);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn carry(near: TcpStream, to: u16, deaf: &AtomicBool) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let up = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(len @ 1..) = near_read.read(&mut bytes).await {
            if !deaf.load(Ordering::SeqCst) && far_write.write_all(&bytes[..len]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let _ = tokio::io::copy(&mut far_read, &mut near_write).await;
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
