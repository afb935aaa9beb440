//! A registry and a repository of charts in one, over HTTP and HTTPS at the same port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ring::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::authority::Authority;
use super::{loopback, program};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Serves one chart for as long as the test's process runs.
pub(crate) struct Charts {
    /// Where: `127.…:port`.
    pub(crate) address: SocketAddr,
    /// The certificate to be trusted, in PEM.
    pub(crate) authority: String,
    /// The digest of the chart's manifest in the registry.
    pub(crate) manifest: String,
    content: Arc<Content>,
}

struct Content {
    asked: AtomicUsize,
    name: String,
    version: String,
    package: Vec<u8>,
    manifest: String,
}

/// What a digest looks like.
pub(crate) fn sha256(content: &[u8]) -> String {
    let hex = digest(&SHA256, content);
    hex.as_ref().iter().fold("sha256:".to_owned(), |text, it| format!("{text}{it:02x}"))
}

/// Packages a chart into a directory; gives the package's path.
pub(crate) fn package(helm: &Path, chart: &Path, directory: &Path) -> std::path::PathBuf {
    let mut command = Command::new(helm);
    command.arg("package").arg(chart).arg("--destination").arg(directory);
    let output = program::run(&mut command, "");
    assert!(output.status.success(), "{output:?}");
    let packages = std::fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    packages.filter(|it| it.extension().is_some_and(|it| it == "tgz")).last().unwrap()
}

impl Charts {
    /// Serves a packaged chart.
    pub(crate) fn serve(name: &str, version: &str, package: Vec<u8>) -> Self {
        let part = |kind: &str, content: &[u8]| {
            let (digest, size) = (sha256(content), content.len());
            format!(
                r#"{{"mediaType": "application/vnd.cncf.helm.{kind}", "digest": "{digest}", "size": {size}}}"#
            )
        };
        let (config, layer) =
            (part("config.v1+json", b"{}"), part("chart.content.v1.tar+gzip", &package));
        let manifest = format!(
            r#"{{"schemaVersion": 2, "mediaType": "{MANIFEST}", "config": {config}, "layers": [{layer}]}}"#
        );
        let listener = TcpListener::bind((loopback(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let authority = Authority::new("charts");
        let identity = authority.identity(&address.ip().to_string(), 2999);
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key);
        let tls = Arc::new(tls.unwrap());
        let digest = sha256(manifest.as_bytes());
        let (name, version) = (name.to_owned(), version.to_owned());
        let asked = AtomicUsize::new(0);
        let content = Arc::new(Content { asked, name, version, package, manifest });
        let served = Arc::clone(&content);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, content) = (Arc::clone(&tls), Arc::clone(&served));
                std::thread::spawn(move || connection(stream, tls, &content));
            }
        });
        Self { address, authority: authority.certificate(), manifest: digest, content }
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.content.asked.load(Ordering::Relaxed)
    }
}

/// Speaks TLS with those who begin with its first octet.
fn connection(stream: TcpStream, tls: Arc<ServerConfig>, content: &Content) {
    let mut first = [0];
    if !matches!(stream.peek(&mut first), Ok(1)) {
        return;
    }
    if first == [22] {
        let session = ServerConnection::new(tls).unwrap();
        answer(StreamOwned::new(session, stream), content);
    } else {
        answer(stream, content);
    }
}

fn answer(mut stream: impl Read + Write, content: &Content) {
    content.asked.fetch_add(1, Ordering::Relaxed);
    let mut request = Vec::new();
    let mut octet = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut octet) {
            Ok(1) => request.push(octet[0]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, kind, body) = match content.at(path) {
        Some((kind, body)) => ("200 OK", kind, body),
        None => ("404 Not Found", "application/json", b"{}".to_vec()),
    };
    let (length, digest) = (body.len(), sha256(&body));
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nDocker-Content-Digest: {digest}\r\n\
         Connection: close\r\n\r\n"
    )
    .into_bytes();
    if method != "HEAD" {
        answer.extend(body);
    }
    let _ = stream.write_all(&answer).and_then(|()| stream.flush());
}

impl Content {
    /// The type and the content of a path.
    fn at(&self, path: &str) -> Option<(&'static str, Vec<u8>)> {
        let (name, version) = (&self.name, &self.version);
        let octets = "application/octet-stream";
        if path == "/v2/" {
            return Some(("application/json", b"{}".to_vec()));
        }
        if path == "/index.yaml" {
            // What a package is called is up to its repository.
            let index = format!(
                "apiVersion: v1\nentries:\n  {name}:\n  - apiVersion: v2\n    name: {name}\n    version: {version}\n    urls: [packages/{name}]\n"
            );
            return Some(("text/yaml", index.into_bytes()));
        }
        if path == format!("/packages/{name}") {
            return Some((octets, self.package.clone()));
        }
        let (kind, reference) =
            path.strip_prefix(&format!("/v2/charts/{name}/"))?.split_once('/')?;
        let manifest = self.manifest.as_bytes();
        match kind {
            "tags" => {
                let tags = format!(r#"{{"name": "charts/{name}", "tags": ["{version}"]}}"#);
                Some(("application/json", tags.into_bytes()))
            }
            "manifests" if reference == version || reference == sha256(manifest) => {
                Some((MANIFEST, manifest.to_vec()))
            }
            "blobs" if reference == sha256(&self.package) => Some((octets, self.package.clone())),
            "blobs" if reference == sha256(b"{}") => Some((octets, b"{}".to_vec())),
            _ => None,
        }
    }
}
