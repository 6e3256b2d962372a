//! Who sends: its address, its name where that is asked for, and the fields made of them. Knows nothing of protocols.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sawlog_model::Nanos;
use sawlog_sys::net;
use tokio::time::timeout;

use super::Shared;

/// Peers that are remembered with their names, and how long.
const REMEMBERED: usize = 10_000;
const FRESH: Nanos = 300_000_000_000;

/// How long a name may take; without one the address stands for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its name where it was resolved, else its address; `local` for a socket of this machine's file system.
    pub host: String,
    /// Fields that its rows get, beside those of their lines.
    pub fields: Vec<(String, String)>,
    /// Whether what it sends comes over TLS.
    pub over_tls: bool,
}

/// Peers by address; when each was made.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<IpAddr, (Nanos, Arc<Peer>)>>);

impl Names {
    fn get(&self, address: IpAddr, now: Nanos) -> Option<Arc<Peer>> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&address).filter(|(made, _)| now < *made + FRESH).map(|(_, peer)| peer.clone())
    }

    fn put(&self, address: IpAddr, now: Nanos, peer: Arc<Peer>) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= REMEMBERED {
            names.clear();
        }
        names.insert(address, (now, peer));
    }
}

impl Shared {
    /// The peer of this address.
    pub(super) async fn peer(&self, address: Option<IpAddr>) -> Arc<Peer> {
        let Some(address) = address else {
            return Arc::new(Peer { host: "local".to_owned(), ..Peer::default() });
        };
        let now = self.env.sys.clock.now();
        if let Some(peer) = self.names.get(address, now) {
            return peer;
        }
        let name = if self.settings.resolve {
            let asked = timeout(PATIENCE, tokio::task::spawn_blocking(move || net::name_of(address))).await;
            asked.ok().and_then(Result::ok).flatten()
        } else {
            None
        };
        let text = address.to_string();
        let host = name.unwrap_or_else(|| text.clone());
        let keys = [(&self.settings.hostname_key, &host), (&self.settings.address_key, &text)];
        let fields =
            keys.into_iter().filter_map(|(key, value)| Some((key.clone()?, value.clone()))).collect();
        let peer = Arc::new(Peer { host, fields, over_tls: false });
        self.names.put(address, now, peer.clone());
        peer
    }
}
