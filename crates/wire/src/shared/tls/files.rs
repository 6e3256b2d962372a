//! Certificates and keys from PEM files, with words for what is wrong with a file. Knows nothing of connections.

use std::path::Path;

use sawlog_pipeline::Options;
use sawlog_sys::Sys;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, RootCertStore};

/// Files of one machine.
pub(super) struct Files<'a>(pub &'a Sys);

/// A certificate with those between it and its CA, and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Files<'_> {
    pub(super) fn exists(&self, path: &str) -> bool {
        self.0.fs.metadata(Path::new(path)).is_ok()
    }

    fn read(&self, option: &str, path: &str) -> Result<Vec<u8>, String> {
        let read = self.0.fs.read(Path::new(path));
        read.map_err(|error| {
            format!("`{option}`: cannot read {path}: {error}; name a PEM file that this user may read")
        })
    }

    fn certificates(&self, option: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
        let bytes = self.read(option, path)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let found = found.map_err(|error| format!("`{option}`: {path}: {error}; make the file anew"))?;
        if found.is_empty() {
            return Err(format!(
                "`{option}`: no certificate in {path}: it must be PEM, with -----BEGIN CERTIFICATE-----; \
                 `openssl x509 -inform der -in {path}` makes that of DER"
            ));
        }
        Ok(found)
    }

    /// The authorities in the files.
    pub(super) fn roots(&self, option: &str, paths: &[&str]) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        for path in paths {
            let (added, ignored) = roots.add_parsable_certificates(self.certificates(option, path)?);
            if added == 0 {
                return Err(format!(
                    "`{option}`: none of the {ignored} certificates in {path} can be a CA's"
                ));
            }
        }
        Ok(roots)
    }

    fn key(&self, path: &str) -> Result<PrivateKeyDer<'static>, String> {
        let bytes = self.read("tls_key", path)?;
        let has = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED") {
            return Err(format!(
                "`tls_key`: {path} is encrypted, and there is nobody to ask for its passphrase: \
                 `openssl pkey -in {path} -out NEW.pem` decrypts it; keep that readable for this user only"
            ));
        }
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
            format!("`tls_key`: no private key in {path} ({error}): it must be PEM, with -----BEGIN PRIVATE KEY-----")
        })
    }

    /// What the options `tls_cert` and `tls_key` name; `None` where they name nothing.
    pub(super) fn identity(&self, options: &Options) -> Result<Option<Identity>, String> {
        match (options.text("tls_cert"), options.text("tls_key")) {
            ("", "") => Ok(None),
            ("", _) => Err("`tls_key` needs `tls_cert`, the file of its certificate".to_owned()),
            (_, "") => Err("`tls_cert` needs `tls_key`, the file of its private key".to_owned()),
            (cert, key) => Ok(Some((self.certificates("tls_cert", cert)?, self.key(key)?))),
        }
    }
}

/// What is wrong where certificate and key cannot be used together.
pub(super) fn misfit(options: &Options, error: &Error) -> String {
    let (cert, key) = (options.text("tls_cert"), options.text("tls_key"));
    match error {
        Error::InconsistentKeys(_) => {
            format!("the key in {key} is not that of the first certificate in {cert}")
        }
        _ => format!("{cert} with {key}: {error}"),
    }
}
