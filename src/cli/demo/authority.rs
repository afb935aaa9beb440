use std::sync::Arc;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority that lives as long as the demo, so that its probes can check certificates as real ones do.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Farol demo authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("could not make the authority's key")?;
        let issuer = CertifiedIssuer::self_signed(params, key);
        Ok(Self(issuer.context("could not make the authority's certificate")?))
    }

    /// What clients trust.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// TLS of a server that may call itself any of `hosts`.
    pub(super) fn server(&self, hosts: &[String]) -> anyhow::Result<Arc<ServerConfig>> {
        let failed = "could not make the sites' certificate";
        let mut params = CertificateParams::new(hosts).context(failed)?;
        params.distinguished_name.push(DnType::CommonName, "Farol demo site");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().context(failed)?;
        let certificate = params.signed_by(&key, &self.0).context(failed)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|it| {
                it.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)
            });
        Ok(Arc::new(config.context(failed)?))
    }
}
