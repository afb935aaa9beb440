//! A small HTTP client, one connection a request.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;

/// A server, and who is asking.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
    token: Option<String>,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    /// The value of Content-Type, or nothing.
    pub(crate) media_type: String,
    pub(crate) body: String,
}

impl Response {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|it| panic!("{it}: {}", self.body))
    }
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, "")
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Response {
        self.send("POST", path, body)
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Response {
        self.try_send(method, path, body).unwrap()
    }

    /// Asks a server that may end at any moment; what is no whole response is an error.
    pub(crate) fn try_send(&self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (host, length) = (self.address, body.len());
        let token = self.token.iter().map(|it| format!("Authorization: Bearer {it}\r\n"));
        let token: String = token.collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{token}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes())?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        let cut = || io::Error::from(ErrorKind::UnexpectedEof);
        let (head, body) = response.split_once("\r\n\r\n").ok_or_else(cut)?;
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(cut)?;
        let header = |name: &str| head.lines().find_map(|it| it.strip_prefix(name));
        let length = header("content-length: ").and_then(|it| it.parse().ok());
        if length.is_some_and(|it: usize| it != body.len()) {
            return Err(cut());
        }
        let media_type = header("content-type: ").unwrap_or_default().to_owned();
        Ok(Response { status, media_type, body: body.to_owned() })
    }

    /// Asks as one who has to, and must succeed.
    #[track_caller]
    pub(crate) fn must(&self, method: &str, path: &str, body: &str) -> Value {
        let response = self.send(method, path, body);
        assert_eq!(response.status, 200, "{method} {path} {body}: {}", response.body);
        response.json()
    }
}
