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
        let mut answering = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            answering.spawn(answer(stream));
        }
    };
    let asking = join_all((0..20).map(|_| cluster.version()));
    let answers = tokio::select! { answers = asking => answers, () = serve => unreachable!() };
    let runs = fs::read_to_string(runs).unwrap().lines().count();
    (runs, answers.iter().filter(|it| it.is_ok()).count())
}

#[tokio::test]
async fn many_that_need_a_new_credential_get_one() {
    assert_eq!(asked("true").await, (2, 20));
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
