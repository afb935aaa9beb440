//! Kubernetes clusters without machines: real API servers, each with an etcd of its own, and the controllers where a test needs them.
//! What kubelets and load balancers would write is written by a [`Puppet`].
//!
//! The servers come from the folder that `KUBEBUILDER_ASSETS` names, or from where `tests/kubernetes/build` puts what it makes.

pub(crate) mod api;
pub(crate) mod credentials;
pub(crate) mod puppet;

use std::fmt::Debug;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{array, env};

use serde_json::Value;
use tempfile::TempDir;

use super::free_address;
use super::http::Http;
use super::program::{self, Program};
use api::Api;
use credentials::{Authority, ISSUER};
use puppet::Puppet;

/// Every write is logged before it is carried out, but what only asks who may do what.
const AUDIT_POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, ResponseComplete, Panic]
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  resources: [{ group: authentication.k8s.io }, { group: authorization.k8s.io }]
- level: Metadata
";

/// The controllers that make objects out of objects; none that would need machines.
const CONTROLLERS: &str = "clusterrole-aggregation,cronjob,daemonset,deployment,endpoint,endpointslice,garbagecollector,\
                           horizontalpodautoscaling,job,namespace,replicaset,serviceaccount,statefulset";

/// How long anything of a cluster may take: a server starts with seven seconds of a processor, for which other tests compete.
const PATIENCE: Duration = Duration::from_secs(300);
/// The pause before each look at a cluster. A look costs its server a handshake, and it has better things to do.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks at a cluster until it shows what is expected; tells what it showed last.
#[track_caller]
pub(crate) fn wait_to_see<T: PartialEq + Debug>(expected: &T, mut look: impl FnMut() -> T) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        std::thread::sleep(PAUSE);
        let seen = look();
        if seen == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "after {PATIENCE:?} still {seen:?}, not {expected:?}");
    }
}

/// Where `tests/kubernetes/build` puts what it makes.
fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/build");
        let output = program::run(&mut Command::new(build), "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let home = |name: &str| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        let caches = home("XDG_CACHE_HOME").or_else(|| Some(home("HOME")?.join(".cache")));
        caches.expect("HOME or XDG_CACHE_HOME").join("farol/kubernetes")
    })
}

/// One of the servers.
#[track_caller]
fn server(name: &str) -> PathBuf {
    let given = env::var_os("KUBEBUILDER_ASSETS").filter(|it| !it.is_empty()).map(PathBuf::from);
    let path = given.unwrap_or_else(|| cache().join("current")).join(name);
    assert!(path.exists(), "there is no {}; is KUBEBUILDER_ASSETS right?", path.display());
    path
}

/// One of `kubectl`, `helm3` and `helm4`.
pub(crate) fn client(name: &str) -> PathBuf {
    cache().join("clients").join(name)
}

/// A cluster, which ends with its test.
pub(crate) struct Cluster {
    name: String,
    address: SocketAddr,
    authority: Authority,
    /// Asks as one who may do everything.
    pub(crate) api: Api,
    /// How much of the log of writes was told.
    told: Mutex<usize>,
    // In the order in which they end.
    controllers: Option<Program>,
    server: Option<Program>,
    _etcd: Program,
    directory: TempDir,
}

impl Cluster {
    /// Starts a cluster without controllers; its API server answers when this returns.
    #[track_caller]
    pub(crate) fn start(name: &str) -> Self {
        let (address, directory) = (free_address(), tempfile::tempdir().unwrap());
        let authority = Authority::new();
        let admin = authority.client("admin", Some("system:masters"));
        let api = Api::new(address, &authority.certificate(), &admin);
        let (etcd, etcd_program) = start_etcd(directory.path());
        let mut cluster = Self {
            name: name.to_owned(),
            address,
            api,
            told: Mutex::new(0),
            controllers: None,
            server: None,
            _etcd: etcd_program,
            directory,
            authority,
        };
        cluster.write_files(&etcd);
        cluster.kubeconfig_of("admin", &admin);
        cluster.start_server();
        cluster
    }

    /// Starts several at once.
    #[track_caller]
    pub(crate) fn start_all<const N: usize>(names: [&str; N]) -> [Self; N] {
        std::thread::scope(|scope| {
            let starting = names.map(|it| scope.spawn(|| Self::start(it)));
            starting.map(|it| it.join().unwrap_or_else(|it| std::panic::resume_unwind(it)))
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where the API server answers.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A file in the cluster's own directory.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn write_files(&self, etcd: &str) {
        let server = self.authority.server(self.address.ip());
        let (checks, signs) = self.authority.token_keys();
        for (file, text) in [
            ("ca.crt", &self.authority.certificate()),
            ("server.crt", &server.certificate),
            ("server.key", &server.key),
            ("tokens.pub", &checks),
            ("tokens.key", &signs),
            ("audit.yaml", &AUDIT_POLICY.to_owned()),
            ("etcd", &etcd.to_owned()),
        ] {
            fs::write(self.path(file), text).unwrap();
        }
    }

    fn server_command(&self) -> Command {
        let mut command = Command::new(server("kube-apiserver"));
        let (ip, port) = (self.address.ip(), self.address.port());
        let etcd = fs::read_to_string(self.path("etcd")).unwrap();
        command.arg(format!("--bind-address={ip}")).arg(format!("--secure-port={port}"));
        command.arg(format!("--etcd-servers={etcd}"));
        command.arg(format!("--service-account-issuer={ISSUER}"));
        command.args([
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            // Pods need no account, since nothing runs in them.
            "--disable-admission-plugins=ServiceAccount",
            // It would write down a loopback address, which no Endpoints may have.
            "--endpoint-reconciler-type=none",
            "--profiling=false",
        ]);
        for (flag, file) in [
            ("tls-cert-file", "server.crt"),
            ("tls-private-key-file", "server.key"),
            ("client-ca-file", "ca.crt"),
            ("service-account-key-file", "tokens.pub"),
            ("service-account-signing-key-file", "tokens.key"),
            ("audit-policy-file", "audit.yaml"),
            ("audit-log-path", "audit.log"),
        ] {
            command.arg(format!("--{flag}={}", self.path(file).display()));
        }
        command
    }

    /// Starts the API server at the address that it has had.
    #[track_caller]
    pub(crate) fn start_server(&mut self) {
        let mut program = Program::start(&mut self.server_command(), &self.path("server.log"));
        let answers = |path: &str| self.api.try_send("GET", path, "").ok().map(|it| it.status);
        for path in ["/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system"] {
            wait_to_see(&Some(200), || {
                assert!(!program.has_ended(), "the API server of {} ended", self.name);
                answers(path)
            });
        }
        self.server = Some(program);
    }

    /// Ends the API server, as if its machine lost its power.
    pub(crate) fn stop_server(&mut self) {
        self.server = None;
    }

    fn log(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_default()
    }

    /// Starts the controllers; they work when this returns.
    #[track_caller]
    pub(crate) fn start_controllers(&mut self) {
        let mut command = Command::new(server("kube-controller-manager"));
        command.arg(format!("--kubeconfig={}", self.kubeconfig().display()));
        let key = self.path("tokens.key");
        command.arg(format!("--service-account-private-key-file={}", key.display()));
        command.arg(format!("--controllers={CONTROLLERS}"));
        command.args(["--leader-elect=false", "--secure-port=0", "--profiling=false"]);
        // Until then it answered without TLS too, at a port that all would share.
        if self.minor() < 24 {
            command.arg("--port=0");
        }
        self.controllers = Some(Program::start(&mut command, &self.path("controllers.log")));
        // The last of its kind to be seen: an account in a namespace.
        let path = "/api/v1/namespaces/default/serviceaccounts/default";
        wait_to_see(&200, || self.api.send("GET", path, &Value::Null).status);
    }

    /// The second part of the version that the server tells.
    #[track_caller]
    pub(crate) fn minor(&self) -> u32 {
        let version = self.api.get("/version");
        version["minor"].as_str().unwrap().trim_end_matches('+').parse().unwrap()
    }

    /// What the cluster is known by: the UID of its namespace kube-system.
    #[track_caller]
    pub(crate) fn uid(&self) -> String {
        let namespace = self.api.get("/api/v1/namespaces/kube-system");
        namespace["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// The kubeconfig of one who may do everything.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path("admin.kubeconfig")
    }

    fn kubeconfig_of(&self, user: &str, identity: &credentials::Identity) -> PathBuf {
        let file = self.path(&format!("{user}.kubeconfig"));
        let authority = self.authority.certificate();
        let text = credentials::with_certificate(&self.url(), &authority, identity);
        fs::write(&file, text).unwrap();
        file
    }

    /// The kubeconfig of a user with a certificate, who is in this group and may do what RBAC says. The roles `view`, `edit` and `admin`
    /// are empty until controllers run.
    pub(crate) fn kubeconfig_for(&self, user: &str, group: Option<&str>) -> PathBuf {
        self.kubeconfig_of(user, &self.authority.client(user, group))
    }

    /// A client who asks as a user with a certificate.
    pub(crate) fn api_for(&self, user: &str, group: Option<&str>) -> Api {
        let identity = self.authority.client(user, group);
        Api::new(self.address, &self.authority.certificate(), &identity)
    }

    /// A token of a service account, which must be there; the API server takes it for so long, and for ten seconds more once it has
    /// seen it.
    #[track_caller]
    pub(crate) fn token_for(&self, namespace: &str, account: &str, lifetime: Duration) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}");
        self.authority.token(&self.api.get(&path), lifetime)
    }

    /// The kubeconfig of one with this token; `name` tells it from others.
    pub(crate) fn kubeconfig_with(&self, name: &str, token: &str) -> PathBuf {
        let file = self.path(&format!("{name}.kubeconfig"));
        let authority = self.authority.certificate();
        fs::write(&file, credentials::with_token(&self.url(), &authority, token)).unwrap();
        file
    }

    /// Runs a program (`kubectl`, `helm3`, `helm4`) for this cluster as one who may do everything.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(client(name));
        command.args(args).env("KUBECONFIG", self.kubeconfig()).env("HOME", self.path("."));
        for variable in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env_remove(variable);
        }
        program::run(&mut command, input)
    }

    /// Runs kubectl, which must end well; gives what it says.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let output = self.run("kubectl", args, "");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Applies manifests as somebody else does: with kubectl, on the client's side.
    #[track_caller]
    pub(crate) fn apply(&self, manifests: &str) {
        let output = self.run("kubectl", &["apply", "-f", "-"], manifests);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The writes (`patch /apis/apps/v1/…`) that the server has seen since this was asked last, but dry runs: those of clients whose
    /// User-Agent begins with this. A deletion whose body says that it is a dry run counts; what the server refused, since the object had
    /// changed in that moment, doesn't.
    pub(crate) fn writes_of(&self, agent: &str) -> Vec<String> {
        let log = self.log("audit.log");
        let end = log.rfind('\n').map_or(0, |it| it + 1);
        let mut told = self.told.lock().unwrap();
        let new = &log[*told..end];
        *told = end;
        let write = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            let counts = text("userAgent").starts_with(agent)
                && !text("requestURI").contains("dryRun=")
                && event["responseStatus"]["code"] != 409;
            counts.then(|| format!("{} {}", text("verb"), text("requestURI")))
        };
        new.lines().filter_map(write).collect()
    }

    /// The writes of Farol that the server has seen since this was asked last, but dry runs and the Lease by which it makes them.
    pub(crate) fn writes(&self) -> Vec<String> {
        let mut writes = self.writes_of("farol");
        writes.retain(|it| !it.contains("/leases"));
        writes
    }

    /// Who writes what kubelets and load balancers would, and what controllers would if they have not been started by now.
    pub(crate) fn puppet(&self) -> Puppet {
        Puppet::new(self.api.called("puppet"), self.controllers.is_some())
    }
}

/// Starts an etcd that answers when this returns; gives its address.
#[track_caller]
fn start_etcd(directory: &Path) -> (String, Program) {
    let [clients, peers] = array::from_fn(|_| format!("http://{}", free_address()));
    let mut command = Command::new(server("etcd"));
    command.arg(format!("--data-dir={}", directory.join("etcd.data").display()));
    command.arg(format!("--listen-client-urls={clients}"));
    command.arg(format!("--advertise-client-urls={clients}"));
    command.arg(format!("--listen-peer-urls={peers}"));
    command.arg(format!("--initial-advertise-peer-urls={peers}"));
    command.arg(format!("--initial-cluster=default={peers}"));
    command.args(["--heartbeat-interval=50", "--election-timeout=250"]);
    let mut program = Program::start(&mut command, &directory.join("etcd.log"));
    let address = clients.trim_start_matches("http://").parse().unwrap();
    let http = Http::new(address);
    wait_to_see(&Some(200), || {
        assert!(!program.has_ended(), "etcd ended");
        http.try_send("GET", "/health", "").ok().map(|it| it.status)
    });
    (clients, program)
}
