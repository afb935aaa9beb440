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
    /// The head, as it was sent.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut headers = self.head.lines().filter_map(|it| it.split_once(": "));
        headers.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|it| panic!("{it}: {}", self.body))
    }
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    /// The same, with another server.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
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
        self.send_with(method, path, body, "")
    }

    /// Sends these headers as well, each with its line's end.
    #[track_caller]
    pub(crate) fn send_with(&self, method: &str, path: &str, body: &str, more: &str) -> Response {
        self.try_send_with(method, path, body, more).unwrap()
    }

    /// Asks a server that may end at any moment; what is no whole response is an error.
    pub(crate) fn try_send(&self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        self.try_send_with(method, path, body, "")
    }

    fn try_send_with(
        &self,
        method: &str,
        path: &str,
        body: &str,
        more: &str,
    ) -> io::Result<Response> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let token = self.token.iter().map(|it| format!("Authorization: Bearer {it}\r\n"));
        let token: String = token.collect();
        let headers = format!("{token}{more}Content-Type: application/json\r\n");
        exchange(&mut stream, self.address, &format!("{method} {path}"), &headers, body)
    }

    /// Asks as one who has to, and must succeed.
    #[track_caller]
    pub(crate) fn must(&self, method: &str, path: &str, body: &str) -> Value {
        let response = self.send(method, path, body);
        assert_eq!(response.status, 200, "{method} {path} {body}: {}", response.body);
        response.json()
    }
}

/// Asks for something (`GET /path`), with these headers, over a connection that ends with the answer.
pub(crate) fn exchange(
    stream: &mut (impl Read + Write),
    host: SocketAddr,
    what: &str,
    headers: &str,
    body: &str,
) -> io::Result<Response> {
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let cut = || io::Error::from(ErrorKind::UnexpectedEof);
    let (head, body) = response.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(cut)?;
    let response =
        Response { status, media_type: String::new(), head: head.to_owned(), body: String::new() };
    let length = response.header("content-length").parse();
    if !what.starts_with("HEAD ") && length.is_ok_and(|it: usize| it != body.len()) {
        return Err(cut());
    }
    let media_type = response.header("content-type").to_owned();
    let is_chunked = response.header("transfer-encoding") == "chunked";
    let body = if is_chunked { joined(body) } else { body.to_owned() };
    Ok(Response { media_type, body, ..response })
}

/// A body that came in chunks (RFC 9112 7.1).
#[track_caller]
fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").expect("a chunk's end");
    }
}
