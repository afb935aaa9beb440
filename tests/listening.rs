//! Listen addresses that change while queries come: where Farol goes on listening, none is lost.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::daemon::{Daemon, Home};
use common::dns::{Query, Reply, ask_tcp, client, connect, exchange};
use common::http::Http;
use common::{PATIENCE, free_address, loopback, wait_until};

const NAME: &str = "www.gtm.example.";
const OLD: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
const NEW: [&str; 2] = ["198.51.100.1", "198.51.100.2"];

fn zone([first, second]: [&str; 2]) -> String {
    format!(
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n[[profile]]\nname = '{NAME}'\nmethod = 'priority'\nmonitor = {{ protocol = 'none' }}\nendpoint = [{{ name = 'a', target = ['{first}', '{second}'] }}]\n"
    )
}

fn sorted(reply: &Reply) -> Vec<String> {
    let mut data = reply.data();
    data.sort();
    data
}

/// Where a daemon answers DNS by the last event that says so.
fn listening(daemon: &Daemon, seen: usize) -> Vec<SocketAddr> {
    let event = daemon.event("listening", seen);
    event["dns"].as_str().unwrap().split(", ").map(|it| it.parse().unwrap()).collect()
}

#[test]
fn no_query_is_lost_where_farol_goes_on_listening() {
    let mut daemon = Home::new(&zone(OLD)).environment(&[("FAROL_NO_WATCH", "true")]).start();
    let (stays, comes) = (daemon.home.listens_at()[0].clone(), format!("{}:0", loopback()));
    let at = daemon.dns[0];
    let query = Query::new(NAME, "A");
    let mut open = connect(at);
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let stream_of_queries = || {
        while !over.load(Ordering::Relaxed) {
            // Each socket may be another worker's.
            let socket = client(at);
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            for id in 0..50 {
                let query = Query { id, ..query.clone() };
                let answer = exchange(&socket, &query.wire()).expect("a query was lost");
                let data = sorted(&Reply::read(&answer));
                assert!(data == OLD || data == NEW, "{data:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|threads| {
        let clients = [threads.spawn(stream_of_queries), threads.spawn(stream_of_queries)];
        for round in 0..20 {
            let (seen, before) = (daemon.logged(), answered.load(Ordering::Relaxed));
            daemon.home.write("farol.toml", &zone(if round % 2 == 0 { NEW } else { OLD }));
            if round % 2 == 0 {
                daemon.home.move_to(&[&comes, &stays], None);
                daemon.reload("reloaded");
                let now = listening(&daemon, seen);
                assert_eq!(now[1], at);
                let reply = exchange(&client(now[0]), &query.wire()).unwrap();
                assert_eq!(sorted(&Reply::read(&reply)), NEW);
                assert_eq!(sorted(&ask_tcp(&mut connect(now[0]), &query).unwrap()), NEW);
            } else {
                daemon.home.move_to(&[&stays], None);
                daemon.reload("reloaded");
                assert_eq!(listening(&daemon, seen), [at]);
            }
            let lost = || clients.iter().any(|it| it.is_finished());
            wait_until("queries between reloads", || {
                lost() || answered.load(Ordering::Relaxed) > before + 100
            });
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(sorted(&ask_tcp(&mut open, &query).unwrap()), OLD, "the connection lives on");
    daemon.stop();
}

#[test]
fn an_address_that_goes_is_closed_with_its_connections() {
    let other = format!("{}:0", loopback());
    let mut daemon = Daemon::start(&zone(OLD));
    let (stays, seen) = (daemon.home.listens_at()[0].clone(), daemon.logged());
    daemon.home.move_to(&[&stays, &other], None);
    let gone = listening(&daemon, seen)[1];
    let mut open = connect(gone);
    assert_eq!(sorted(&ask_tcp(&mut open, &Query::new(NAME, "A")).unwrap()), OLD);
    let seen = daemon.logged();
    daemon.home.move_to(&[&stays], None);
    assert_eq!(listening(&daemon, seen), [daemon.dns[0]]);
    assert_eq!(open.read(&mut [0]).unwrap(), 0, "told to end");
    wait_until("closed port", || {
        TcpStream::connect(gone).is_err() && UdpSocket::bind(gone).is_ok()
    });
    daemon.stop();
}

#[test]
fn an_address_that_cannot_be_had_refuses_the_whole_reload() {
    let holder = UdpSocket::bind((loopback(), 0)).unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let busy = TcpListener::bind((loopback(), 0)).unwrap();
    let mut daemon = Home::new(&zone(OLD)).environment(&[("FAROL_NO_WATCH", "true")]).start();
    let stays = daemon.home.listens_at()[0].clone();
    let busy_address = busy.local_addr().unwrap().to_string();
    for (listen, admin, named) in [
        (vec![&*stays, &*taken], None, "server.listen"),
        (vec![&*stays], Some(&*busy_address), "admin.listen"),
    ] {
        let before = daemon.home.path("here.toml");
        let text = fs::read_to_string(&before).unwrap();
        daemon.home.write("farol.toml", &zone(NEW));
        daemon.home.move_to(&listen, admin);
        let refused = daemon.reload("reload_refused")["message"].as_str().unwrap().to_owned();
        assert!(refused.contains("in use") || refused.contains("could not listen"), "{refused}");
        assert!(refused.contains(named), "{refused}");
        assert_eq!(sorted(&daemon.ask(&Query::new(NAME, "A"))), OLD);
        let response = daemon.api.post("/v1/reload", "");
        assert_eq!(response.status, 422, "{}", response.body);
        daemon.home.write("here.toml", &text);
    }
    drop((holder, busy));
    daemon.reload("reloaded");
    assert_eq!(sorted(&daemon.ask(&Query::new(NAME, "A"))), NEW);
    daemon.stop();
}

#[test]
fn an_address_that_was_in_use_is_had_once_it_is_free() {
    let holder = UdpSocket::bind((loopback(), 0)).unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let mut daemon = Home::new(&zone(OLD)).start();
    let stays = daemon.home.listens_at()[0].clone();
    let seen = daemon.logged();
    daemon.home.move_to(&[&*stays, &*taken], None);
    let refused = daemon.event("reload_refused", seen)["message"].as_str().unwrap().to_owned();
    assert!(refused.contains(&taken), "{refused}");
    drop(holder);
    // Nobody touches a file or asks.
    assert_eq!(listening(&daemon, seen)[1].to_string(), taken);
    daemon.stop();
}

#[test]
fn the_api_moves_after_it_has_answered() {
    let mut daemon = Home::new(&zone(OLD)).environment(&[("FAROL_NO_WATCH", "true")]).start();
    let (former, next) = (daemon.api.clone(), free_address());
    let listen = daemon.home.listens_at().to_vec();
    daemon.home.move_to(&[&listen[0]], Some(&next.to_string()));
    let response = former.post("/v1/reload", "");
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(response.json()["settings"], serde_json::json!(["admin.listen"]));
    assert_eq!(daemon.event("reloaded", 0)["settings"], "admin.listen");
    let token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
    let moved = Http::new(next).with_token(token.trim());
    assert_eq!(moved.get("/healthz").status, 200);
    assert_eq!(moved.get("/v1/status").status, 200);
    let before = former.address;
    wait_until("closed port", || TcpStream::connect_timeout(&before, PATIENCE).is_err());
    daemon.api = moved;
    daemon.stop();
}

#[test]
fn the_api_moves_to_all_addresses_and_back() {
    let mut daemon = Home::new(&zone(OLD)).environment(&[("FAROL_NO_WATCH", "true")]).start();
    let token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
    // A port that nobody has at any address.
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
    let one = SocketAddr::new(loopback(), port);
    let other = SocketAddr::new(loopback(), port);
    let all = |any: &str| format!("{any}:{port}").parse::<SocketAddr>().unwrap();
    let listen = daemon.home.listens_at()[0].clone();
    let body = r#"{"profile": "none.example.", "changes": []}"#;
    let asking = format!(
        "POST /v1/whatif HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        token.trim(),
        body.len()
    );
    for admin in [one, all("0.0.0.0"), one, all("[::]"), all("0.0.0.0"), all("[::]"), one] {
        let mut open = TcpStream::connect(daemon.api.address).unwrap();
        open.set_read_timeout(Some(PATIENCE)).unwrap();
        open.write_all(asking.as_bytes()).unwrap();
        // Whoever says this has read the request's head, and waits for its body.
        let mut goes_on = [0; 25];
        open.read_exact(&mut goes_on).unwrap();
        assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        daemon.home.move_to(&[&listen], Some(&admin.to_string()));
        daemon.reload("reloaded");
        daemon.api = Http::new(one).with_token(token.trim());
        assert_eq!(daemon.api.get("/v1/status").status, 200, "{admin}");
        wait_until("the new address alone", || {
            TcpStream::connect(other).is_ok() == admin.ip().is_unspecified()
        });
        open.write_all(body.as_bytes()).unwrap();
        let mut answer = [0; 22];
        open.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404 Not Found");
        let refused = Home::new(&zone(OLD)).admin(&admin.to_string()).fail_to_start();
        assert!(refused.contains("stop what uses it"), "{refused}");
    }
    daemon.stop();
}

#[test]
fn the_api_does_not_move_where_somebody_else_listens() {
    let mut daemon = Home::new(&zone(OLD)).environment(&[("FAROL_NO_WATCH", "true")]).start();
    let (own, listen) = (daemon.api.address, daemon.home.listens_at()[0].clone());
    let second = Home::new(&zone(OLD)).admin(&SocketAddr::new(loopback(), own.port()).to_string());
    let second = second.start();
    daemon.home.move_to(&[&listen], Some(&format!("0.0.0.0:{}", own.port())));
    let refused = daemon.reload("reload_refused")["message"].as_str().unwrap().to_owned();
    assert!(refused.contains("stop what uses it"), "{refused}");
    assert_eq!(daemon.api.get("/healthz").status, 200);
    second.stop();
    daemon.reload("reloaded");
    daemon.stop();
}

#[test]
fn a_reload_of_the_same_opens_nothing() {
    let daemon = Daemon::start(&zone(OLD));
    let open = || fs::read_dir(format!("/proc/{}/fd", daemon.process())).unwrap().count();
    let before = open();
    for _ in 0..50 {
        daemon.reload("reloaded");
    }
    // Some are opened late in the start, by the watcher for one.
    wait_until("about as few descriptors as before", || open() < before + 25);
    daemon.stop();
}
