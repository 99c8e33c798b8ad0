//! How TLS is set up: whom to trust, who we are. There is no way from here to a connection in the clear.

use std::path::Path;
use std::sync::{Arc, Mutex, TryLockError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::{StoreError, Tls, Unreachable, Verification};

/// The configuration of one endpoint, made when the first connection needs it.
///
/// Making it reads files and takes milliseconds. It is made outside the lock, by several threads if they come at once,
/// and the lock is only ever tried: a process forked off while another thread held it goes on without it.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Arc<ClientConfig>>>);

impl Kept {
    /// The configuration for these settings, which are the same in every call.
    pub(super) fn get(&self, settings: &Tls) -> Result<Arc<ClientConfig>, StoreError> {
        if let Some(config) = self.with(|kept| kept.clone()) {
            return Ok(config);
        }
        let config = Arc::new(configure(settings)?);
        self.with(|kept| {
            *kept = Some(Arc::clone(&config));
            Some(())
        });
        Ok(config)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Option<Arc<ClientConfig>>) -> Option<T>) -> Option<T> {
        match self.0.try_lock() {
            Ok(mut kept) => look(&mut kept),
            Err(TryLockError::Poisoned(kept)) => look(&mut kept.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

fn configure(settings: &Tls) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(settings, provider)?);
    let mut config = match &settings.certificate {
        None if settings.key.is_some() => {
            return Err(said("ssl_keyfile needs ssl_certfile beside it"));
        }
        None => builder.with_no_client_auth(),
        Some(file) => builder
            .with_client_auth_cert(
                certificates(file, "ssl_certfile")?,
                private_key(settings.key.as_deref().unwrap_or(file))?,
            )
            .map_err(|_| said("ssl_certfile and ssl_keyfile do not belong together"))?,
    };
    // Connections are kept, so sessions to resume are of little use; and their store has a lock that a fork could break.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn verifier(
    settings: &Tls,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, StoreError> {
    if settings.verification == Verification::Nothing {
        return Ok(Arc::new(Lenient {
            chain: None,
            provider,
        }));
    }
    let chain = WebPkiServerVerifier::builder_with_provider(
        Arc::new(roots(settings)?),
        Arc::clone(&provider),
    )
    .build()
    .map_err(|_| said("the certificate authorities cannot be used"))?;
    Ok(match settings.verification {
        Verification::Full => chain,
        _ => Arc::new(Lenient {
            chain: Some(chain),
            provider,
        }),
    })
}

fn roots(settings: &Tls) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &settings.ca_file {
        for certificate in certificates(file, "ssl_ca_certs")? {
            roots
                .add(certificate)
                .map_err(|_| said("ssl_ca_certs holds something that is no certificate"))?;
        }
        return Ok(roots);
    }
    // What of the system's store cannot be read is left out, as OpenSSL does.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(said(
            "this system has no certificate authorities: name a file of them with ssl_ca_certs",
        ));
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(&error, option))?;
    if certificates.is_empty() {
        return Err(said(&format!("{option} holds no certificate")));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, StoreError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            said("ssl_keyfile holds no private key (one that is encrypted cannot be used)")
        }
        error => unreadable(&error, "ssl_keyfile"),
    })
}

fn unreadable(error: &pem::Error, option: &str) -> StoreError {
    said(&match error {
        pem::Error::Io(error) => format!("{option} cannot be read: {}", error.kind()),
        _ => format!("{option} is no PEM file"),
    })
}

/// The name that a certificate has to be for, sent along as the name of the server that is wanted.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, StoreError> {
    ServerName::try_from(host.to_owned()).map_err(|_| said("the host is no name for a certificate"))
}

/// The failure of a handshake, or of a connection after it. rustls' words name hosts and certificates, no secrets.
pub(super) fn failed(error: &Error) -> StoreError {
    said(&error.to_string())
}

fn said(what: &str) -> StoreError {
    StoreError::Unreachable(Unreachable::Tls(what.to_owned()))
}

/// Verifies less than everything, because the settings say so.
#[derive(Debug)]
struct Lenient {
    /// Verifies the way to a trusted authority; None takes any certificate.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is verified last: what fails there has passed everything else.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
