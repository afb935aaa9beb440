//! Who is who in a cluster: its authority, the certificates of servers and users, tokens of service accounts.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

/// Who issues the tokens of service accounts.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";
/// How long the API server goes on to take a token that has expired.
const LEEWAY: Duration = Duration::from_secs(60);

/// A certificate and its key, in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The authority of a cluster, and the key that it signs tokens with.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    tokens: KeyPair,
}

fn named(user: &str, group: Option<&str>) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, user);
    if let Some(group) = group {
        name.push(DnType::OrganizationName, group);
    }
    parameters.distinguished_name = name;
    parameters
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = named("kubernetes", None);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap());
        Self { issuer: issuer.unwrap(), tokens: KeyPair::generate().unwrap() }
    }

    /// What everybody trusts.
    pub(crate) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// The keys that check and that sign tokens.
    pub(crate) fn token_keys(&self) -> (String, String) {
        (self.tokens.public_key_pem(), self.tokens.serialize_pem())
    }

    fn sign(&self, parameters: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// A server at this address.
    pub(crate) fn server(&self, at: IpAddr) -> Identity {
        let mut parameters = named("kube-apiserver", None);
        parameters.subject_alt_names = vec![SanType::IpAddress(at)];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&parameters)
    }

    /// A user, who is in this group.
    pub(crate) fn client(&self, user: &str, group: Option<&str>) -> Identity {
        let mut parameters = named(user, group);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&parameters)
    }

    /// A token of a service account as the API server has it, which stops being taken after `lifetime`.
    pub(crate) fn token(&self, account: &Value, lifetime: Duration) -> String {
        let (meta, now) = (&account["metadata"], SystemTime::now());
        let seconds = |it: SystemTime| it.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let subject = ["namespace", "name"].map(|it| meta[it].as_str().unwrap()).join(":");
        let claims = json!({
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": format!("system:serviceaccount:{subject}"),
            "nbf": seconds(now - LEEWAY * 2),
            "iat": seconds(now - LEEWAY * 2),
            "exp": seconds(now + lifetime - LEEWAY),
            "kubernetes.io": {
                "namespace": meta["namespace"],
                "serviceaccount": { "name": meta["name"], "uid": meta["uid"] },
            },
        });
        let part = |it: &Value| BASE64_URL_SAFE_NO_PAD.encode(it.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "ES256" })), part(&claims));
        let random = SystemRandom::new();
        let key = self.tokens.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random);
        let signature = key.unwrap().sign(&random, text.as_bytes()).unwrap();
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A kubeconfig of one cluster and one user, whose lines these are.
fn kubeconfig(server: &str, authority: &str, user: &str) -> String {
    let authority = BASE64_STANDARD.encode(authority);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         contexts:\n- name: test\n  context: {{ cluster: test, user: test }}\n\
         clusters:\n- name: test\n  cluster:\n    server: {server}\n    certificate-authority-data: {authority}\n\
         users:\n- name: test\n  user:\n{user}"
    )
}

/// The kubeconfig of a user with a certificate.
pub(crate) fn with_certificate(server: &str, authority: &str, identity: &Identity) -> String {
    let [certificate, key] =
        [&identity.certificate, &identity.key].map(|it| BASE64_STANDARD.encode(it));
    let user = format!("    client-certificate-data: {certificate}\n    client-key-data: {key}\n");
    kubeconfig(server, authority, &user)
}

/// The kubeconfig of a user with a token.
pub(crate) fn with_token(server: &str, authority: &str, token: &str) -> String {
    kubeconfig(server, authority, &format!("    token: {token}\n"))
}
