use std::fs;

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Answers a request, of which the first token isn't taken.
async fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let is_first = String::from_utf8_lossy(&head).contains("Bearer token-1\r\n");
    let status = if is_first { "401 Unauthorized" } else { "200 OK" };
    let body =
        json!({"kind": "Status", "code": 401, "gitVersion": "v1.20.2", "minor": "20"}).to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Asks a server that takes any token but the first, often at once; tells how often the program ran that gives the tokens, and how many
/// answers there were. From its second run on the program does what `then` says.
async fn asked(then: &str) -> (usize, usize) {
    asked_by(then, async |cluster| join_all((0..20).map(|_| cluster.version())).await).await
}

/// Likewise, in this way.
async fn asked_by(
    then: &str,
    ask: impl AsyncFnOnce(&Cluster) -> Vec<Result<Version, ClusterError>>,
) -> (usize, usize) {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let runs = directory.path().join("runs");
    let script = format!(
        r#"echo >> {0}; n=$(wc -l < {0}); test $n = 1 || {{ {then}; }}; echo "{{\"status\": {{\"token\": \"token-$n\"}}}}""#,
        runs.display()
    );
    let kubeconfig = json!({
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
        "users": [{"name": "a", "user": {"exec": {"command": "sh", "args": ["-c", script]}}}],
    });
    let reach = Reach::Text { yaml: kubeconfig.to_string(), context: None };
    let cluster = Cluster::open(&reach).await.unwrap();
    let serve = async {
        let mut answering = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            answering.spawn(answer(stream));
        }
    };
    let answers =
        tokio::select! { answers = ask(&cluster) => answers, () = serve => unreachable!() };
    let runs = fs::read_to_string(runs).unwrap().lines().count();
    (runs, answers.iter().filter(|it| it.is_ok()).count())
}

#[tokio::test]
async fn many_that_need_a_new_credential_get_one() {
    assert_eq!(asked("true").await, (2, 20));
}

#[tokio::test]
async fn a_new_credential_comes_though_who_asked_first_waits_no_more() {
    let ask = async |cluster: &Cluster| {
        let impatient = timeout(Duration::from_millis(100), cluster.version()).await;
        assert!(impatient.is_err());
        vec![cluster.version().await]
    };
    assert_eq!(asked_by("sleep 0.5", ask).await, (2, 1));
}

#[tokio::test]
async fn many_that_need_a_new_credential_fail_once() {
    assert_eq!(asked("exit 1").await, (2, 0));
}

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_tells_nothing_of_its_text() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kubeconfig");
    for text in [
        "users:\n- name: a\n  user: { token: hunter2, : }\n",
        "users:\n- name: a\n  user: hunter2\n",
        "hunter2",
        "clusters: hunter2\n",
    ] {
        fs::write(&file, text).unwrap();
        let by_file = Reach::File { path: file.clone(), context: None };
        let by_text = Reach::Text { yaml: text.to_owned(), context: None };
        for reach in [by_file, by_text] {
            let told = Cluster::open(&reach).await.unwrap_err().to_string();
            assert!(told.contains("can't be used: ") && !told.contains("hunter2"), "{told}");
        }
    }
}

/// Answers as the cluster of this UID, which takes no token any more once it has answered `takes` requests. Notes what it was asked for.
async fn be(
    listener: TcpListener,
    uid: &str,
    takes: usize,
    asked: &std::cell::RefCell<Vec<String>>,
) {
    let mut answered = 0;
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
        asked.borrow_mut().push(format!("{line} of {uid}"));
        let (status, body) = match answered < takes {
            true => ("200 OK", json!({"metadata": {"uid": uid}})),
            false => ("401 Unauthorized", json!({"kind": "Status", "code": 401})),
        };
        answered += 1;
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_kubeconfig_that_leads_elsewhere_by_now_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    let (one, other) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let lead_to = |listener: &TcpListener| {
        let server = format!("http://{}", listener.local_addr().unwrap());
        let kubeconfig = json!({
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {"server": server}}],
            "users": [{"name": "a", "user": {"token": "t"}}],
        });
        fs::write(&path, kubeconfig.to_string()).unwrap();
    };
    lead_to(&one);
    let cluster = Cluster::open(&Reach::File { path: path.clone(), context: None }).await.unwrap();
    lead_to(&other);
    let asked = std::cell::RefCell::new(Vec::new());
    let asking = async {
        assert_eq!(cluster.identify(None).await, Ok("one".to_owned()));
        let write = Request::put("/api/v1/nodes/a").body(Vec::new()).unwrap();
        let wrong =
            ClusterError::WrongCluster { wanted: "one".to_owned(), found: "other".to_owned() };
        assert_eq!(cluster.send(write).await, Err(wrong));
    };
    tokio::select! {
        () = asking => {}
        () = be(one, "one", 1, &asked) => unreachable!(),
        () = be(other, "other", 9, &asked) => unreachable!(),
    }
    let who = format!("GET {IDENTITY}");
    let expected =
        [format!("{who} of one"), "PUT /api/v1/nodes/a of one".into(), format!("{who} of other")];
    assert_eq!(*asked.borrow(), expected);
}
