//! DNS over HTTPS (RFC 8484) by HTTP/2, with other people's clients, and with such as are clumsy, slow, greedy or gone.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::io::Read;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::PATIENCE;
use common::dns::{Edns, Query, Reply};
use common::program::run;
use common::tls::{self, LIMIT, Server, connect, dropped, metric, wait_dropped};
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, Response};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

impl Server {
    fn start(idle: &str) -> Self {
        Self::over("https", idle, "")
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}:{}{path}", tls::NAME, self.at.port())
    }

    /// What curl says by HTTP/2: version, status, content type, cache control, and the body.
    fn curl(&self, arguments: &[&str], path: &str, body: &[u8]) -> (String, Vec<u8>) {
        let (ca, output) = (self.daemon.home.path("tls.crt"), self.daemon.home.path("body"));
        std::fs::write(self.daemon.home.path("query"), body).unwrap();
        let mut command = Command::new("curl");
        command.args(["--http2", "--silent", "--show-error", "--cacert"]).arg(ca);
        let address = format!("{}:{}:{}", tls::NAME, self.at.port(), self.at.ip());
        command.args(["--resolve", &address, "--output"]).arg(&output);
        let shown = "%{http_version} %{http_code} %{content_type} %header{cache-control}";
        command.args(["--write-out", shown]).args(arguments).arg(self.url(path));
        let said = run(command.current_dir(self.daemon.home.path("")), "");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let body = std::fs::read(&output).unwrap_or_default();
        let _ = std::fs::remove_file(&output);
        (String::from_utf8(said.stdout).unwrap().trim_end().to_owned(), body)
    }

    /// A connection by HTTP/2 that takes so many octets of answers which nobody has read, and what drives it.
    async fn connect(
        &self,
        window: u32,
    ) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
        let stream = TcpStream::connect(self.at).await.unwrap();
        let connector = TlsConnector::from(Arc::new(tls::config(&self.certificate, b"h2")));
        let name = ServerName::try_from(tls::NAME).unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let mut builder = h2::client::Builder::new();
        let builder = builder.initial_connection_window_size(window);
        let (client, connection) = builder.handshake(stream).await.unwrap();
        #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        let driver = tokio::spawn(connection);
        (client, driver)
    }

    fn request(&self, method: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(self.url("/dns-query"));
        request.header("content-type", "application/dns-message")
    }

    /// Begins to ask.
    fn send(&self, client: &mut SendRequest<Bytes>, message: &[u8]) -> ResponseFuture {
        let request = self.request("POST").body(()).unwrap();
        let (response, mut body) = client.send_request(request, false).unwrap();
        body.send_data(Bytes::copy_from_slice(message), true).unwrap();
        response
    }

    #[track_caller]
    fn assert_serves(&self) {
        let (said, body) = self.curl(&POST, "/dns-query", &query().wire());
        assert_eq!(said, "2 200 application/dns-message private, max-age=30");
        assert_eq!(Reply::read(&body).data(), ["192.0.2.1"]);
    }
}

const POST: [&str; 4] =
    ["--data-binary", "@query", "--header", "content-type: application/dns-message"];

fn query() -> Query {
    Query { id: 0, ..Query::new("ns.gtm.example.", "A") }
}

fn large() -> Query {
    Query { id: 0, ..Query::new("long.gtm.example.", "TXT") }
}

async fn reply(response: Response<h2::RecvStream>) -> Reply {
    assert_eq!(response.status(), 200);
    let (mut body, mut octets) = (response.into_body(), Vec::new());
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        octets.extend_from_slice(&part);
    }
    Reply::read(&octets)
}

#[test]
fn kdig_asks_by_get_and_by_post() {
    let server = Server::start("10s");
    let ca = server.daemon.home.path("tls.crt");
    for (how, padded) in [("+nohttps-get", false), ("+https-get", false), ("+https-get", true)] {
        let mut command = Command::new("kdig");
        command.args([&format!("@{}", server.at.ip()), "-p", &server.at.port().to_string()]);
        command.arg(format!("+tls-ca={}", ca.display())).args(["+https", how, "+norec"]);
        command.arg(format!("+tls-hostname={}", tls::NAME));
        command.arg(if padded { "+padding" } else { "+nopadding" }).args(["ns.gtm.example.", "A"]);
        let output = run(&mut command, "");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("HTTP/2") && said.contains("192.0.2.1"), "{said}");
        assert_eq!(said.contains("Received 468 B"), padded, "{said}");
    }
    let series = "farol_dns_queries_total{transport=\"https\",family=\"ipv4\"}";
    assert_eq!(metric(&server.daemon, series), 3.0);
    server.daemon.stop();
}

#[test]
fn requests_get_the_status_that_the_rfc_has_for_them() {
    let server = Server::start("10s");
    server.assert_serves();
    let message = "application/dns-message";
    let refusing = Query { id: 0, ..Query::new("elsewhere.", "A") };
    let missing = Query { id: 0, ..Query::new("missing.gtm.example.", "A") };
    let (short, response) = ([0; 11], Query { flags: 0x8000, ..query() }.wire());
    // Cut within the question: malformed, but it has a header that can be answered.
    let cut = &query().wire()[..20];
    let (get, put) = (["--get"], ["-X", "PUT", "--data-binary", "@query"]);
    let text = ["--data-binary", "@query", "--header", "content-type: text/plain"];
    for (arguments, path, body, expected) in [
        (&POST[..], "/dns-query", &*missing.wire(), format!("200 {message} private, max-age=5")),
        (&POST, "/dns-query", &refusing.wire(), format!("200 {message} private, max-age=0")),
        (&POST, "/dns-query", cut, format!("200 {message} private, max-age=0")),
        (&POST, "/dns-query", &short, "400".into()),
        (&POST, "/dns-query", &response, "400".into()),
        (&POST, "/dns-query", &[], "400".into()),
        (&POST, "/dns-query", &[0; 20_000], "413".into()),
        (&POST, "/other", &query().wire(), "404".into()),
        (&text, "/dns-query", &query().wire(), "415".into()),
        (&put, "/dns-query", &query().wire(), "405".into()),
        (&get, "/dns-query?dns=AAA=", &[], "400".into()),
        (&get, "/dns-query", &[], "400".into()),
        (&get, "/", &[], "404".into()),
    ] {
        let (said, _) = server.curl(arguments, path, body);
        assert_eq!(said, format!("2 {expected}"), "{arguments:?} {path}");
    }
    let (_, body) = server.curl(&POST, "/dns-query", cut);
    assert_eq!(Reply::read(&body).rcode, "FORMERR");
    let keepalive = Edns { size: 1232, options: vec![(11, vec![])], ..Edns::default() };
    let (_, body) = server.curl(&POST, "/dns-query", &query().edns(keepalive).wire());
    assert_eq!(Reply::read(&body).option(11), None);
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_are_answered_on_one_connection() {
    let server = Server::start("10s");
    // Answers are read one after the other, so those to come must not take all the room.
    let (client, _driver) = server.connect(16 << 20).await;
    let mut client = client.ready().await.unwrap();
    for _ in 0..5 {
        let mut asked = Vec::new();
        for at in 0..60 {
            client = client.ready().await.unwrap();
            let query = if at % 2 == 0 { query() } else { large() };
            asked.push(server.send(&mut client, &query.wire()));
        }
        for (at, response) in asked.into_iter().enumerate() {
            let reply = timeout(PATIENCE, async { reply(response.await.unwrap()).await });
            assert_eq!(reply.await.unwrap().answer.len(), if at % 2 == 0 { 1 } else { 200 });
        }
    }
    drop(client);
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_closed_after_its_time() {
    let server = Server::start("2s");
    let asked = Instant::now();
    let (mut client, driver) = server.connect(65_535).await;
    let response = server.send(&mut client, &query().wire()).await.unwrap();
    assert_eq!(reply(response).await.data(), ["192.0.2.1"]);
    assert!(timeout(PATIENCE, driver).await.is_ok());
    assert!(asked.elapsed() >= Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(dropped(&server.daemon, "broken_stream"), 0.0);
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_finish_or_never_read_are_let_go() {
    let server = Server::start("2s");
    // Half a request each, and answers that wait.
    let (mut slow, slow_driver) = server.connect(65_535).await;
    let mut halves = Vec::new();
    for _ in 0..50 {
        slow = slow.ready().await.unwrap();
        let request = server.request("POST").body(()).unwrap();
        let (_, mut body) = slow.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(&[0; 7]), false).unwrap();
        halves.push(body);
    }
    let (mut greedy, greedy_driver) = server.connect(65_535).await;
    let mut unread = Vec::new();
    for _ in 0..50 {
        greedy = greedy.ready().await.unwrap();
        unread.push(server.send(&mut greedy, &large().wire()));
    }
    server.assert_serves();
    for driver in [slow_driver, greedy_driver] {
        assert!(timeout(PATIENCE, driver).await.is_ok());
    }
    wait_dropped(&server.daemon, "broken_stream", 2);
    server.assert_serves();
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_take_back_what_they_ask_hold_nobody_up() {
    let server = Server::start("10s");
    let (mut client, driver) = server.connect(65_535).await;
    for _ in 0..10_000 {
        let Ok(ready) = client.ready().await else { break };
        client = ready;
        let request = server.request("POST").body(()).unwrap();
        let Ok((_, mut body)) = client.send_request(request, false) else { break };
        body.send_reset(h2::Reason::CANCEL);
        if driver.is_finished() {
            break;
        }
    }
    server.assert_serves();
    server.daemon.stop();
}

#[test]
fn beyond_the_limit_newcomers_are_served() {
    let server = Server::start("1m");
    let config = || tls::config(&server.certificate, b"h2");
    // They say nothing after the handshake.
    let mut idle: Vec<_> = (0..3 * LIMIT).map(|_| connect(server.at, config()).unwrap()).collect();
    server.assert_serves();
    let mut rest = Vec::new();
    let _ = idle[0].read_to_end(&mut rest);
    wait_dropped(&server.daemon, "evicted", 2 * LIMIT);
    let refused = connect(server.at, tls::config(&server.certificate, b"http/1.1")).err();
    assert!(refused.unwrap().to_string().contains("NoApplicationProtocol"));
    server.daemon.stop();
}
