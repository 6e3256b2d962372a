//! TLS of the HTTP listeners: certificates as `[http]` and `[meniscus]` name them, read again when the configuration is. Knows nothing
//! of what is said over a connection.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use sawlog_pipeline::Options;
use sawlog_pipeline::config::Config;
use sawlog_server::{Duplex, Secure};
use sawlog_sys::Sys;
use sawlog_sys::net::TcpStream;
use sawlog_wire::shared::tls::{self, TlsAcceptor};

/// The tables of the configuration that have a listener.
pub(crate) const TABLES: [&str; 2] = ["http", "meniscus"];

/// What a listener speaks at the moment.
pub(crate) struct Certificates(RwLock<TlsAcceptor>);

impl Certificates {
    fn now(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, acceptor: TlsAcceptor) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }
}

impl Secure for Certificates {
    fn accept(&self, stream: TcpStream) -> BoxFuture<'static, Result<Box<dyn Duplex>, String>> {
        let acceptor = self.now();
        async move { Ok(Box::new(tls::accept(&acceptor, stream).await?) as Box<dyn Duplex>) }.boxed()
    }
}

/// Of each of [`TABLES`], what it speaks; `None` where it names no certificate.
pub(crate) struct Listeners([Option<Arc<Certificates>>; 2]);

/// What the configuration says now.
pub(crate) struct Read([Option<TlsAcceptor>; 2]);

/// Reads the files that a configuration names.
///
/// # Errors
/// In words, with the file and the remedy.
pub(crate) fn read(sys: &Sys, config: &Config) -> Result<Read> {
    let of = |table: &str| {
        let given = [tls::CERT, tls::KEY, tls::CLIENT_CA, tls::MIN_VERSION].into_iter().filter_map(|opt| {
            let value = config.settings.get(&format!("{table}.{}", opt.name))?;
            Some((opt.name.to_owned(), vec![value.clone()]))
        });
        tls::acceptor(&Options(given.collect()), sys)
            .map_err(|words| Error::msg(format!("[{table}] {words}")))
    };
    let [http, meniscus] = TABLES.map(of);
    Ok(Read([http?, meniscus?]))
}

impl Listeners {
    pub(crate) fn new(read: Read) -> Self {
        Listeners(read.0.map(|acceptor| acceptor.map(|one| Arc::new(Certificates(RwLock::new(one))))))
    }

    /// What the listener of [`TABLES`]' place speaks.
    pub(crate) fn secure(&self, place: usize) -> Option<Arc<dyn Secure>> {
        self.0[place].clone().map(|certificates| certificates as Arc<dyn Secure>)
    }

    /// `https` or `http`.
    pub(crate) fn scheme(&self, place: usize) -> &'static str {
        if self.0[place].is_some() { "https" } else { "http" }
    }

    /// Lets what was read hold for connections from now on; what takes a restart is told.
    pub(crate) fn set(&self, read: Read) -> Vec<String> {
        let mut notes = Vec::new();
        for ((table, ours), read) in TABLES.iter().zip(&self.0).zip(read.0) {
            match (ours, read) {
                (Some(ours), Some(read)) => ours.set(read),
                (None, None) => {}
                _ => notes.push(format!("[{table}] TLS on or off takes a restart")),
            }
        }
        notes
    }
}
