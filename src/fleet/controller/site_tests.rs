//! A site's task before an API server of the test's own, whose weather changes.

use std::cell::Cell;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::*;
use crate::fleet::controller::board::Board;
use crate::fleet::object::GroupKind;
use crate::fleet::plan::Mask;
use crate::fleet::spec::{Description, Drift};
use crate::metrics::FleetMetrics;

/// Longer than anything takes that goes well.
const PATIENCE: Duration = Duration::from_secs(120);

/// Status and body of an answer; none where it never comes.
type Answer = Option<(u16, Value)>;

/// Reads a request: its method and path, its token and its body.
async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|it| it.split_once(": "));
        lines.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.to_owned())
    };
    let length = header("content-length").and_then(|it| it.parse().ok()).unwrap_or_default();
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    Some((line, header("authorization").unwrap_or_default()))
}

/// What every API server says of itself.
fn usual(line: &str) -> Answer {
    let resource = |plural: &str, kind: &str, namespaced: bool| json!({"name": plural, "kind": kind, "namespaced": namespaced});
    let path = line.split_once(' ').map(|it| it.1.split('?').next().unwrap_or_default());
    let body = match path.unwrap_or_default() {
        "/api/v1/namespaces/kube-system" => json!({"metadata": {"uid": "u"}}),
        "/version" => json!({"gitVersion": "v1.20.2", "minor": "20"}),
        "/api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
        "/apis" => json!({"kind": "APIGroupList", "groups": []}),
        "/api/v1" => json!({"groupVersion": "v1", "resources": [
            resource("configmaps", "ConfigMap", true), resource("nodes", "Node", false),
        ]}),
        "/api/v1/nodes" => json!({"items": []}),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            json!({"status": {"allowed": true}})
        }
        _ => return Some((404, json!({"kind": "Status", "code": 404}))),
    };
    Some((200, body))
}

fn is_list(line: &str) -> bool {
    line.starts_with("GET /api/v1/configmaps?") && !line.contains("watch=true")
}

fn list(names: &[&str]) -> Answer {
    let items = names.iter().map(|it| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": it, "namespace": "shop"}})
    });
    let items: Vec<Value> = items.collect();
    Some((200, json!({"metadata": {"resourceVersion": "1"}, "items": items})))
}

/// Begins to answer at an address, which is given. Is asked with a request's method and path, and with its token.
async fn server(answer: impl Fn(&str, &str) -> Answer + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Rc::new(answer);
    spawn_local(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Rc::clone(&answer);
            spawn_local(async move {
                let Some((line, token)) = read(&mut stream).await else { return };
                let Some((status, body)) = answer(&line, token.trim_start_matches("Bearer "))
                else {
                    // Until the client has had enough.
                    let _ = stream.read_u8().await;
                    return;
                };
                let body = format!("{body}\n");
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} So\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
                );
                let _ = stream.write_all((head + &body).as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

/// A site at this address, without apps. Each time that its credential is asked for it is another token: `token-1`, `token-2`…
fn site(url: &str, directory: &TempDir) -> Site {
    let path = |name: &str| directory.path().join(name).display().to_string();
    let script = format!(
        r#"echo >> {0}; echo "{{\"status\": {{\"token\": \"token-$(wc -l < {0} | tr -d ' ')\"}}}}""#,
        path("runs")
    );
    let kubeconfig = json!({
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": url}}],
        "users": [{"name": "a", "user": {"exec": {"command": "sh", "args": ["-c", script]}}}],
    });
    std::fs::write(path("kubeconfig"), kubeconfig.to_string()).unwrap();
    let text =
        format!("sites:\n- name: sea\n  cluster: {{ kubeconfig: {} }}\n", path("kubeconfig"));
    let described = Description::parse(Path::new("fleet.yaml"), &text).unwrap();
    let Description::Whole(mut described) = described else { panic!("{described:?}") };
    described.fleet.sites.remove(0)
}

/// Follows a site of a server that answers so until something is so.
fn follow_until(
    answer: impl Fn(&str, &str) -> Answer + 'static,
    mut is_so: impl FnMut(&SiteNow) -> bool,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let directory = tempfile::tempdir().unwrap();
        let site = site(&server(answer).await, &directory);
        let board = Arc::new(Board::default());
        board.describe(Some((Drift::Report, vec![site.name.clone()])));
        let common = Common::new(Mask::new(&[7; 32]), board.clone(), FleetMetrics::default());
        let (_orders, order) = watch::channel(Order { site, parts: Vec::new(), heals: false });
        let task = SiteTask::new(order, common, Rc::default());
        let look = async {
            while !is_so(&board.now().unwrap().sites[0]) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = task.run() => unreachable!("it has orders"),
            looked = timeout(PATIENCE, look) => looked.unwrap(),
        }
    });
    runtime.shutdown_background();
}

#[test]
fn a_watch_whose_credential_has_expired_begins_anew_with_another() {
    let listed = Rc::new(Cell::new(false));
    let is_listed = Rc::clone(&listed);
    let answer = move |line: &str, token: &str| match token {
        // It is taken wherever the way is opened anew by itself.
        "token-1" if is_list(line) => Some((401, json!({"kind": "Status", "code": 401}))),
        _ if is_list(line) => {
            listed.set(true);
            list(&[])
        }
        _ if line.contains("watch=true") => None,
        _ => usual(line),
    };
    follow_until(answer, |now| {
        assert_eq!(now.trouble, None, "the cluster itself can be worked with");
        is_listed.get()
    });
}

#[test]
fn who_may_not_watch_any_more_asks_what_one_may() {
    let is_taken = Cell::new(false);
    let asked_since = Rc::new(Cell::new(false));
    let is_asked = Rc::clone(&asked_since);
    let answer = move |line: &str, _: &str| match line {
        _ if is_list(line) => {
            is_taken.set(true);
            Some((403, json!({"kind": "Status", "code": 403, "message": "no"})))
        }
        _ if line.contains("selfsubjectaccessreviews") => {
            asked_since.set(is_taken.get());
            Some((200, json!({"status": {"allowed": !is_taken.get()}})))
        }
        _ => usual(line),
    };
    follow_until(answer, |now| {
        assert_eq!(now.trouble, None, "the cluster itself can be worked with");
        is_asked.get()
    });
}

#[test]
fn what_was_missed_by_a_watch_that_is_too_old_is_told_when_it_begins_anew() {
    let lists = Cell::new(0);
    let answer = move |line: &str, _: &str| match line {
        _ if is_list(line) => {
            lists.set(lists.get() + 1);
            list(if lists.get() == 1 { &["gone", "stays"] } else { &["stays"] })
        }
        _ if line.contains("watch=true") && lists.get() == 1 => {
            let status =
                json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
            Some((200, json!({"type": "ERROR", "object": status})))
        }
        _ if line.contains("watch=true") => None,
        _ => usual(line),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = LocalSet::new().block_on(&runtime, async {
        let directory = tempfile::tempdir().unwrap();
        let reached = reach(&site(&server(answer).await, &directory)).await.unwrap();
        let mut members = Members::follow(&reached, [].into()).await.unwrap();
        let mut told = Vec::new();
        while told.iter().filter(|it: &&String| it.starts_with("all: ")).count() < 2 {
            told.push(match timeout(PATIENCE, members.next()).await.unwrap() {
                Happened::Seen(key, ..) => key.name,
                Happened::Gone(key) => format!("{} is gone", key.name),
                Happened::Listed { kind, parents, there, .. } => {
                    assert_eq!((kind, parents), (GroupKind::new("", "ConfigMap"), true));
                    let mut names: Vec<&str> = there.iter().map(|it| &*it.name).collect();
                    names.sort_unstable();
                    format!("all: {}", names.join(" "))
                }
                Happened::Broken(error) => error.word().to_owned(),
            });
        }
        told
    });
    assert_eq!(told, ["gone", "stays", "all: gone stays", "unavailable", "stays", "all: stays"]);
}
