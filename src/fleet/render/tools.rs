//! The programs of others that render: where they are, and what to say when they aren't.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::charts::Charts;
use crate::program::Programs;

/// How long a program may take; charts come from far away.
const LIMIT: Duration = Duration::from_secs(120);

/// A program of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Helm 3 or 4.
    Helm,
    /// kubectl, which has kustomize in it.
    Kubectl,
    /// kustomize by itself.
    Kustomize,
}

/// Where the programs are, and how long each may take.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Helm 3 or 4: a path, or a name to be looked for in `PATH`.
    pub helm: PathBuf,
    /// kubectl, likewise.
    pub kubectl: PathBuf,
    /// kustomize, likewise.
    pub kustomize: PathBuf,
    /// How long each run may take, from its start on.
    pub limit: Duration,
    /// The environment that programs see.
    pub environment: Vec<(OsString, OsString)>,
    pub(super) programs: Arc<Programs<PathBuf>>,
    /// Those that render at the same time: each takes a processor and some memory, and sites are many.
    pub(super) slots: Arc<Semaphore>,
    pub(super) charts: Arc<Charts>,
}

/// Why a program didn't do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It isn't there.
    #[error("{}", missing(.0))]
    Missing(Vec<(Tool, PathBuf)>),
    /// It is there, but can't be started.
    #[error("could not start {tool} (`{}`)", path.display())]
    NotStarted {
        /// The program.
        tool: Tool,
        /// Where it is.
        path: PathBuf,
        /// Why it can't be started.
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{doing} failed ({how}){}", after(.said))]
    Failed {
        /// What it was doing, e.g. `helm template ratings`.
        doing: String,
        /// Its exit status.
        how: String,
        /// The end of what it said, without secrets.
        said: String,
    },
    /// It took too long, and was killed.
    #[error("{doing} took longer than {} s and was killed{}", limit.as_secs_f32(), after(.said))]
    TimedOut {
        /// What it was doing.
        doing: String,
        /// What it had.
        limit: Duration,
        /// The end of what it said, without secrets.
        said: String,
    },
    /// It wrote more than anything of use has.
    #[error("{doing} wrote more than {} MiB", .most / 1024 / 1024)]
    TooMuch {
        /// What it was doing.
        doing: String,
        /// The octets that it may write.
        most: usize,
    },
    /// It wrote what is no text.
    #[error("{doing} wrote what is not UTF-8")]
    NoText {
        /// What it was doing.
        doing: String,
    },
    /// This machine can't talk to it.
    #[error("could not follow {doing}")]
    Lost {
        /// What it was doing.
        doing: String,
        /// Why not.
        source: io::Error,
    },
}

impl Tools {
    /// As the environment has it: `FAROL_HELM`, `FAROL_KUBECTL` and `FAROL_KUSTOMIZE`, and else what is found in `PATH`.
    pub fn from_environment() -> Self {
        let path = |tool: Tool| match std::env::var_os(tool.variable()) {
            Some(path) if !path.is_empty() => path.into(),
            _ => tool.name().into(),
        };
        Self {
            helm: path(Tool::Helm),
            kubectl: path(Tool::Kubectl),
            kustomize: path(Tool::Kustomize),
            limit: LIMIT,
            environment: environment(std::env::vars_os()),
            programs: Arc::default(),
            slots: Arc::new(Semaphore::new(
                available_parallelism().map_or(2, |it| it.get().max(2)),
            )),
            charts: Arc::default(),
        }
    }

    /// Where one of them is.
    pub fn path(&self, tool: Tool) -> &PathBuf {
        match tool {
            Tool::Helm => &self.helm,
            Tool::Kubectl => &self.kubectl,
            Tool::Kustomize => &self.kustomize,
        }
    }
}

impl Tool {
    const fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
            Self::Kustomize => "kustomize",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Helm => "FAROL_HELM",
            Self::Kubectl => "FAROL_KUBECTL",
            Self::Kustomize => "FAROL_KUSTOMIZE",
        }
    }

    const fn way_to_get_it(self) -> &'static str {
        match self {
            Self::Helm => "install helm 3 or 4 (https://helm.sh/docs/intro/install)",
            Self::Kubectl => "install kubectl (https://kubernetes.io/docs/tasks/tools)",
            Self::Kustomize => {
                "install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize)"
            }
        }
    }

    const fn use_of_it(self) -> &'static str {
        match self {
            Self::Helm => "charts are rendered by it",
            Self::Kubectl | Self::Kustomize => "kustomizations are rendered by it",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn missing(tools: &[(Tool, PathBuf)]) -> String {
    let each = tools.iter().map(|(tool, path)| {
        let place = if path.components().count() > 1 { "there is no" } else { "`PATH` has no" };
        let (path, use_of_it, way) = (path.display(), tool.use_of_it(), tool.way_to_get_it());
        let variable = tool.variable();
        format!("{place} `{path}`, and {use_of_it}; {way}, or set {variable}=/path/to/{tool}")
    });
    each.collect::<Vec<_>>().join("; or: ")
}

fn after(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// What programs need of our environment: where things are, and how to reach registries. What else is in it, such as secrets of
/// the daemon, is none of their business, and what would bring Helm to a cluster is none of it either.
fn environment(ours: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    const NEEDED: [&str; 12] = [
        "PATH",
        "HOME",
        "USER",
        "TMPDIR",
        "DOCKER_CONFIG",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSH_AUTH_SOCK",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
    ];
    const NOT_FOR_US: [&str; 4] = ["HELM_KUBE", "HELM_NAMESPACE", "HELM_DEBUG", "HELM_DRIVER"];
    let is_needed = |name: &str| {
        NEEDED
            .iter()
            .any(|it| *it == name || (it.ends_with("_PROXY") && it.eq_ignore_ascii_case(name)))
            || name.starts_with("XDG_")
            || (name.starts_with("HELM_") && !NOT_FOR_US.iter().any(|it| name.starts_with(it)))
    };
    ours.filter(|(name, _)| name.to_str().is_some_and(is_needed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_way_to_get_it() {
        let missing = ProgramError::Missing(vec![
            (Tool::Kubectl, "kubectl".into()),
            (Tool::Kustomize, "/opt/kustomize".into()),
        ]);
        assert_eq!(
            missing.to_string(),
            "`PATH` has no `kubectl`, and kustomizations are rendered by it; install kubectl \
             (https://kubernetes.io/docs/tasks/tools), or set FAROL_KUBECTL=/path/to/kubectl; or: there is no \
             `/opt/kustomize`, and kustomizations are rendered by it; install kustomize \
             (https://kubectl.docs.kubernetes.io/installation/kustomize), or set FAROL_KUSTOMIZE=/path/to/kustomize"
        );
    }

    #[test]
    fn programs_see_what_they_need_and_no_cluster() {
        let ours = [
            "PATH",
            "HOME",
            "https_proxy",
            "HELM_CACHE_HOME",
            "XDG_CACHE_HOME",
            "KUBECONFIG",
            "HELM_KUBETOKEN",
            "HELM_NAMESPACE",
            "FAROL_ADMIN_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
        ];
        let seen = environment(ours.iter().map(|it| (it.into(), "x".into())));
        let seen: Vec<&str> = seen.iter().filter_map(|it| it.0.to_str()).collect();
        assert_eq!(seen, ours[..5]);
    }
}
