//! Credentials that a program gives (client-go's exec plugins, `client.authentication.k8s.io`): run here, not by kube, since its run has no
//! time limit and would ask at a terminal that isn't there.

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig};
use serde::Deserialize;
use serde_json::json;

use super::ClusterError;
use crate::model::is_hidden;
use crate::program::{Programs, RunError};

/// How long a program may take; it may have to ask an identity provider.
const LIMIT: Duration = Duration::from_secs(30);
/// The octets that a credential may have.
const MOST: usize = 1 << 20;
/// The octets of a program's complaints that are shown.
const SHOWN: usize = 400;

/// The programs, each known by its name: one that hangs while it is loaded is not started again and again.
static PROGRAMS: LazyLock<Arc<Programs<String>>> = LazyLock::new(Arc::default);

/// What a program answers (ExecCredential).
#[derive(Deserialize)]
struct Answer {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<Timestamp>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Puts the credential that a program gives in the place of the program. Gives when it expires, where it says so.
///
/// # Errors
/// When the program is missing, fails, takes too long or gives none.
pub(super) async fn fetch(user: &mut AuthInfo) -> Result<Option<Timestamp>, ClusterError> {
    fetch_within(user, LIMIT).await
}

async fn fetch_within(
    user: &mut AuthInfo,
    limit: Duration,
) -> Result<Option<Timestamp>, ClusterError> {
    let wrong = |why: String| ClusterError::Kubeconfig(why);
    if let Some(provider) = &user.auth_provider {
        return Err(wrong(format!(
            "its user has the auth-provider {}, which Kubernetes has no more; write an exec plugin or a token",
            provider.name
        )));
    }
    let Some(exec) = user.exec.take() else { return Ok(None) };
    let command = exec.command.clone().unwrap_or_default();
    let doing = format!("the exec plugin {command}");
    let octets = run(&exec, &doing, limit).await?;
    let answer: Answer = serde_json::from_slice(&octets)
        .map_err(|_| wrong(format!("{doing} gave no ExecCredential as JSON")))?;
    let status = answer.status.ok_or_else(|| wrong(format!("{doing} gave no credential")))?;
    if status.token.is_none() && status.client_certificate_data.is_none() {
        return Err(wrong(format!("{doing} gave neither a token nor a certificate")));
    }
    // The data of a kubeconfig are in base64, those of a plugin are not.
    let encoded =
        |pem: String| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem);
    let mut own = serde_json::Map::new();
    let fields = [
        ("token", status.token),
        ("client-certificate-data", status.client_certificate_data.map(encoded)),
        ("client-key-data", status.client_key_data.map(encoded)),
    ];
    own.extend(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))));
    let own: AuthInfo = serde_json::from_value(own.into())
        .map_err(|_| wrong(format!("{doing} gave a credential that can't be used")))?;
    user.token = own.token;
    user.client_certificate_data = own.client_certificate_data;
    user.client_key_data = own.client_key_data;
    Ok(status.expiration_timestamp)
}

async fn run(exec: &ExecConfig, doing: &str, limit: Duration) -> Result<Vec<u8>, ClusterError> {
    let wrong = |why: String| ClusterError::Kubeconfig(why);
    let info = json!({
        "apiVersion": exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1"),
        "kind": "ExecCredential",
        "spec": {"interactive": false, "cluster": exec.cluster},
    });
    let name = exec.command.clone().unwrap_or_default();
    let mut command = Command::new(&name);
    command.args(exec.args.iter().flatten()).env("KUBERNETES_EXEC_INFO", info.to_string());
    let variables =
        exec.env.iter().flatten().filter_map(|it| Some((it.get("name")?, it.get("value")?)));
    command.envs(variables).stdin(Stdio::null());
    let too_long =
        || wrong(format!("{doing} took longer than {} s and was killed", limit.as_secs_f32()));
    let ran = PROGRAMS.run(name, command, limit, (MOST, SHOWN)).await;
    let ran = ran.map_err(|error| match error {
        RunError::NotStarted(error) => {
            let hint = match (error.kind(), &exec.install_hint) {
                (ErrorKind::NotFound, Some(hint)) => format!("; {hint}"),
                (ErrorKind::NotFound, None) => {
                    "; install it, or write its path into the kubeconfig".to_owned()
                }
                _ => String::new(),
            };
            wrong(format!("{doing} can't be started: {error}{hint}"))
        }
        RunError::NotLoaded => too_long(),
        RunError::Lost(error) => wrong(format!("{doing} was lost: {error}")),
    })?;
    let status = ran.status.ok_or_else(too_long)?;
    if status.success() {
        return Ok(ran.output.into_kept());
    }
    let plain = |it: char| if is_hidden(it) { ' ' } else { it };
    let said: String = String::from_utf8_lossy(ran.said.kept()).chars().map(plain).collect();
    Err(wrong(format!("{doing} failed ({status}): {}", said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(script: &str) -> AuthInfo {
        let exec = json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1", "command": "sh", "args": ["-c", script],
            "env": [{"name": "GREETING", "value": "hello"}],
        }});
        serde_json::from_value(exec).unwrap()
    }

    async fn told(script: &str, limit: Duration) -> String {
        fetch_within(&mut user(script), limit).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_program_gives_a_token_that_expires() {
        let mut user = user(
            r#"test "$GREETING" = hello && case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*)
            echo '{"status": {"token": "t", "expirationTimestamp": "2030-01-01T00:00:00Z"}}';; esac"#,
        );
        let expires = fetch(&mut user).await.unwrap();
        assert_eq!(expires, Some("2030-01-01T00:00:00Z".parse().unwrap()));
        let json = serde_json::to_value(&user).unwrap();
        assert_eq!((&json["token"], json.get("exec")), (&json!("t"), None));
    }

    #[tokio::test]
    async fn a_program_gives_a_certificate() {
        let mut user =
            user(r#"echo '{"status": {"clientCertificateData": "c", "clientKeyData": "k"}}'"#);
        assert_eq!(fetch(&mut user).await.unwrap(), None);
        let json = serde_json::to_value(&user).unwrap();
        assert_eq!(
            (&json["client-certificate-data"], &json["client-key-data"]),
            (&json!("Yw=="), &json!("aw=="))
        );
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told() {
        let limit = Duration::from_secs(20);
        assert!(
            told("echo no such tenant >&2; exit 3", limit)
                .await
                .ends_with("(exit status: 3): no such tenant")
        );
        assert!(told("echo hello", limit).await.contains("gave no ExecCredential as JSON"));
        assert!(told("echo '{}'", limit).await.contains("gave no credential"));
        assert!(
            told("echo '{\"status\": {}}'", limit)
                .await
                .contains("neither a token nor a certificate")
        );
        assert!(
            told("sleep 100", Duration::from_millis(50))
                .await
                .contains("took longer than 0.05 s and was killed")
        );
        let exec =
            json!({"exec": {"command": "/nonexistent/kubelogin", "installHint": "get it at x"}});
        let mut missing: AuthInfo = serde_json::from_value(exec).unwrap();
        let why = fetch(&mut missing).await.unwrap_err().to_string();
        assert!(why.contains("can't be started") && why.ends_with("get it at x"), "{why}");
    }
}
