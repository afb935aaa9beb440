//! The way to one cluster, and who it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Request, header};
use jiff::{SignedDuration, Timestamp};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::access::Access;
use super::{Apis, ClusterError, credential};

/// How long a request may take as a whole.
const REQUEST: Duration = Duration::from_secs(20);
/// How long the list of what is in one group may take; some are answered by servers of their own.
const GROUP: Duration = Duration::from_secs(5);
/// Requests to one cluster at the same time: quick over a long way, and no burden for its server.
pub const AT_ONCE: usize = 16;
/// The pauses between tries of a question that a server is too busy for.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// How long before its end a credential is renewed.
const EARLY: SignedDuration = SignedDuration::from_secs(30);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// What tells one cluster from another: its namespace `kube-system`.
const IDENTITY: &str = "/api/v1/namespaces/kube-system";
/// Everything in one document where the server can (from 1.26 on), or else the list of groups.
const ACCEPT_AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By a kubeconfig file.
    File {
        /// The file.
        path: PathBuf,
        /// The context in it; none for its current one.
        context: Option<String>,
    },
    /// By a kubeconfig's text, as a Secret has it.
    Text {
        /// The YAML.
        yaml: String,
        /// The context in it; none for its current one.
        context: Option<String>,
    },
    /// As a pod of the cluster, by its service account.
    InCluster,
}

/// A cluster that can be asked. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    reach: Arc<Reach>,
    opened: Arc<Mutex<Opened>>,
    /// The way that is opened anew, held by whoever waits for that: many requests may find at once that a credential has expired. It goes on though
    /// who began it waits no more.
    renewing: Arc<tokio::sync::Mutex<JoinSet<Result<Opened, ClusterError>>>>,
    /// Which cluster it is, once that was made sure of. A way that is opened anew has to lead to the same.
    uid: Arc<OnceLock<String>>,
    limit: Duration,
}

/// A client with its credential.
#[derive(Clone)]
struct Opened {
    client: Client,
    /// When the credential expires, where that is known.
    expires: Option<Timestamp>,
    /// How often it was tried to open the way anew.
    renewals: u64,
    /// Why the last of these tries failed, if it did.
    failed: Option<ClusterError>,
}

/// A server's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As the server writes it: `v1.33.4+k3s1`.
    pub full: String,
    /// The minor version: 33.
    pub minor: u32,
}

impl Cluster {
    /// Gets ready to ask a cluster. Nothing is asked yet.
    ///
    /// # Errors
    /// When the kubeconfig can't be used, or a program gives no credential.
    pub async fn open(reach: &Reach) -> Result<Self, ClusterError> {
        let opened = Arc::new(Mutex::new(opened(reach).await?));
        let (renewing, uid) = (Arc::default(), Arc::default());
        Ok(Self { reach: Arc::new(reach.clone()), opened, renewing, uid, limit: REQUEST })
    }

    /// The client, for watches. A credential that has expired is renewed by the next request, not by this.
    pub fn client(&self) -> Client {
        self.now().client
    }

    /// The namespace that its credential is for: the pod's own, or the context's.
    pub fn namespace(&self) -> String {
        self.now().client.default_namespace().to_owned()
    }

    fn now(&self) -> Opened {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens the way anew: with a new credential, and by the kubeconfig as it is now, which may lead elsewhere by now. Who finds that somebody
    /// else has tried since it took the client that doesn't do any more, after so many renewals, gets what came of that.
    async fn renew(&self, seen: u64) -> Result<Client, ClusterError> {
        let mut alone = self.renewing.lock().await;
        let now = self.now();
        if now.renewals != seen {
            return now.failed.map_or(Ok(now.client), Err);
        }
        if alone.is_empty() {
            alone.spawn(opened_anew(self.reach.clone(), self.uid.clone(), self.limit));
        }
        let tried = match alone.join_next().await {
            Some(Ok(tried)) => tried,
            _ => Err(ClusterError::Kubeconfig("its credential could not be renewed".to_owned())),
        };
        let mut kept = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match tried {
            Ok(new) => *kept = Opened { renewals: seen + 1, ..new },
            Err(why) => *kept = Opened { renewals: seen + 1, failed: Some(why), ..now },
        }
        let kept = kept.clone();
        drop(alone);
        kept.failed.map_or(Ok(kept.client), Err)
    }

    /// The cluster's own name: the UID of its namespace `kube-system`, which lasts as long as the cluster.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn uid(&self) -> Result<String, ClusterError> {
        uid(&self.json(IDENTITY).await?)
    }

    /// Makes sure that it is the cluster of this UID, where one is pinned. Gives the UID. From then on no credential that is renewed leads to
    /// another one.
    ///
    /// # Errors
    /// When it is another one, or can't be asked.
    pub async fn identify(&self, wanted: Option<&str>) -> Result<String, ClusterError> {
        let found = self.uid().await?;
        let found = match wanted {
            Some(wanted) => same(wanted, found)?,
            None => found,
        };
        same(self.uid.get_or_init(|| found.clone()), found)
    }

    /// The server's version.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn version(&self) -> Result<Version, ClusterError> {
        let answer = self.json("/version").await?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        // Managed clusters write "27+".
        let minor = text("minor").trim_end_matches(|it: char| !it.is_ascii_digit()).parse();
        let minor =
            minor.map_err(|_| ClusterError::Garbled("its version has no number".to_owned()))?;
        Ok(Version { full: text("gitVersion").to_owned(), minor })
    }

    /// What the server serves. A group whose own server is down is noted, and spoils nothing else.
    ///
    /// # Errors
    /// When the server itself can't be asked.
    pub async fn apis(&self) -> Result<Apis, ClusterError> {
        let mut apis = Apis::default();
        let mut paths = Vec::new();
        for root in ["/api", "/apis"] {
            let answer = self.ask(get(root, ACCEPT_AGGREGATED)?).await?;
            match answer.get("kind").and_then(Value::as_str) {
                Some("APIGroupDiscoveryList") => apis.aggregated(&answer),
                _ => paths.extend(apis.groups(&answer)),
            }
        }
        // The server of a group of its own may hang; the others are told all the same.
        let ask = async |path: &String| match timeout(GROUP, self.json(path)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClusterError::Silent(GROUP)),
        };
        let answers =
            stream::iter(paths.iter()).map(ask).buffered(AT_ONCE).collect::<Vec<_>>().await;
        let mut last = None;
        for (path, answer) in paths.iter().zip(answers) {
            match answer {
                Ok(document) => apis.version(&document),
                Err(error) => {
                    let api_version = path.trim_start_matches("/apis/").trim_start_matches("/api/");
                    apis.note_broken(api_version, &error.to_string());
                    last = Some(error);
                }
            }
        }
        match last {
            Some(error) if apis.is_empty() => Err(error),
            _ => Ok(apis),
        }
    }

    /// Which of these one may not do.
    ///
    /// # Errors
    /// When that can't be asked.
    pub async fn missing(&self, wanted: &[Access]) -> Result<Vec<Access>, ClusterError> {
        const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let ask = async |access: &Access| -> Result<bool, ClusterError> {
            let body = access.review().to_string().into_bytes();
            let request = Request::post(REVIEWS).header(header::CONTENT_TYPE, "application/json");
            let answer: Value = self.send(request.body(body).map_err(unsendable)?).await?;
            Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default())
        };
        let allowed: Vec<bool> =
            stream::iter(wanted.iter()).map(ask).buffered(AT_ONCE).try_collect().await?;
        let refused = wanted.iter().zip(allowed).filter(|it| !it.1);
        Ok(refused.map(|it| it.0.clone()).collect())
    }

    /// The JSON at a path.
    pub(super) async fn json(&self, path: &str) -> Result<Value, ClusterError> {
        self.ask(get(path, "application/json")?).await
    }

    /// Sends what changes nothing; again, a little later, while the server is too busy for it.
    pub(super) async fn ask(&self, request: Request<Vec<u8>>) -> Result<Value, ClusterError> {
        let mut pauses = PAUSES.iter();
        loop {
            match (self.send(request.clone()).await, pauses.next()) {
                (Err(ClusterError::Unavailable(_)), Some(pause)) => sleep(*pause).await,
                (answer, _) => return answer,
            }
        }
    }

    /// Sends a request and reads its answer, within the time limit; once more with a new credential where the old one isn't taken.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Value, ClusterError> {
        let Opened { client, expires, renewals, .. } = self.now();
        let is_expiring = expires.is_some_and(|it| it < Timestamp::now() + EARLY);
        let client = if is_expiring { self.renew(renewals).await? } else { client };
        match send_within(self.limit, &client, request.clone()).await {
            Err(ClusterError::Unauthorized(_)) if !is_expiring => {
                send_within(self.limit, &self.renew(renewals).await?, request).await
            }
            answer => answer,
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The UID of the namespace `kube-system`, as it was answered.
fn uid(namespace: &Value) -> Result<String, ClusterError> {
    let uid = namespace.pointer("/metadata/uid").and_then(Value::as_str);
    uid.map(str::to_owned)
        .ok_or_else(|| ClusterError::Garbled("the namespace kube-system has no UID".to_owned()))
}

/// The UID that was found, if it is the wanted one.
fn same(wanted: &str, found: String) -> Result<String, ClusterError> {
    match wanted == found {
        true => Ok(found),
        false => Err(ClusterError::WrongCluster { wanted: wanted.to_owned(), found }),
    }
}

async fn send_within(
    limit: Duration,
    client: &Client,
    request: Request<Vec<u8>>,
) -> Result<Value, ClusterError> {
    match timeout(limit, client.request::<Value>(request)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ClusterError::Silent(limit)),
    }
}

/// A request for what is at a path.
pub(super) fn get(path: &str, accept: &str) -> Result<Request<Vec<u8>>, ClusterError> {
    let request = Request::get(path).header(header::ACCEPT, accept);
    request.body(Vec::new()).map_err(unsendable)
}

/// What no request can be made of: a name with a space in it.
pub(super) fn unsendable(error: http::Error) -> ClusterError {
    ClusterError::Refused(format!("there is no such path: {error}"))
}

/// A way that is opened anew, to the same cluster as before.
async fn opened_anew(
    reach: Arc<Reach>,
    known: Arc<OnceLock<String>>,
    limit: Duration,
) -> Result<Opened, ClusterError> {
    let new = opened(&reach).await?;
    if let Some(wanted) = known.get() {
        let found = send_within(limit, &new.client, get(IDENTITY, "application/json")?).await?;
        same(wanted, uid(&found)?)?;
    }
    Ok(new)
}

async fn opened(reach: &Reach) -> Result<Opened, ClusterError> {
    let reach = reach.clone();
    let mut config = off_runtime(move |runtime| runtime.block_on(config(&reach))).await?;
    let expires = credential::fetch(&mut config.auth_info).await?;
    config.connect_timeout = Some(CONNECT);
    // Retries are ours: kube's would wait for up to a quarter of an hour.
    config.default_retry = false;
    let agent = concat!("farol/", env!("CARGO_PKG_VERSION"));
    config.headers.push((header::USER_AGENT, header::HeaderValue::from_static(agent)));
    let unusable = |it| ClusterError::Kubeconfig(format!("the kubeconfig can't be used: {it}"));
    let client = off_runtime(move |_| Client::try_from(config).map_err(unusable)).await?;
    Ok(Opened { client, expires, renewals: 0, failed: None })
}

/// Does what reads files, of which one may lie on a disk that hangs: no task of another site is to wait for that.
async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce(Handle) -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || work(runtime)).await;
    done.map_err(|it| ClusterError::Kubeconfig(format!("the kubeconfig can't be read: {it}")))?
}

async fn config(reach: &Reach) -> Result<Config, ClusterError> {
    let wrong = |what: &str, error: &dyn fmt::Display| {
        ClusterError::Kubeconfig(format!("{what} can't be used: {error}"))
    };
    let (kubeconfig, context, shown) = match reach {
        Reach::InCluster => {
            return Config::incluster().map_err(|it| wrong("the pod's service account", &it));
        }
        Reach::File { path, context } => {
            let shown = format!("kubeconfig {}", path.display());
            let kubeconfig = Kubeconfig::read_from(path);
            let kubeconfig = kubeconfig.map_err(|it| wrong(&shown, &without_text(&it)))?;
            (kubeconfig, context, shown)
        }
        Reach::Text { yaml, context } => {
            let shown = "the kubeconfig";
            let kubeconfig = Kubeconfig::from_yaml(yaml);
            let kubeconfig = kubeconfig.map_err(|it| wrong(shown, &without_text(&it)))?;
            (kubeconfig, context, shown.to_owned())
        }
    };
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|it| wrong(&shown, &it))
}

/// What is wrong with a kubeconfig, without anything of its text, which may be a secret.
fn without_text(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => {
                format!("line {}, column {} is not as in a kubeconfig", at.line(), at.column())
            }
            None => "it is no kubeconfig".to_owned(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
