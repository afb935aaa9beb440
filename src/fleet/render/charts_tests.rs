use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

use futures_util::future::join_all;
use ring::digest::{SHA256, digest};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use tokio::net::unix::pipe::{self, Receiver};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{advance, timeout};

use super::super::{ChartSource, HelmChart, Render, Rendered, Target};
use super::*;

const PATIENCE: Duration = Duration::from_secs(120);
/// A package, which the scripts render to itself.
const PACKAGE: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}";
/// Brings the package, and notes where to.
const PULL: &str = r#"
while [ "$1" != --destination ]; do shift; done
echo "$2" >>"$AT/pulled"
printf %s "$PACKAGE" >"$2/web"
"#;
/// Renders a package to what is in it.
const TEMPLATE: &str = r#"cat "${!#}""#;
/// Tells its number, and waits until it may go on.
const WAIT: &str = r#"
echo $$ >"$AT/told"
read -r _ <"$AT/go"
"#;

/// A shell stands for Helm: it finds the scripts `pull` and `template` in its `PATH`.
struct Stage {
    at: TempDir,
    tools: Tools,
    told: Receiver,
    go: File,
}

impl Stage {
    fn new(pull: &str, template: &str) -> Self {
        let at = tempfile::tempdir().unwrap();
        let path = |name: &str| at.path().join(name);
        fs::write(path("pull"), pull).unwrap();
        fs::write(path("template"), template).unwrap();
        for it in ["told", "go"] {
            mknodat(CWD, path(it), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }
        // Who has both ends never waits for another to open one.
        let told = pipe::OpenOptions::new().read_write(true).open_receiver(path("told")).unwrap();
        let go = OpenOptions::new().read(true).write(true).open(path("go")).unwrap();
        let environment = vec![
            ("PATH".into(), format!("{}:/usr/bin:/bin", at.path().display()).into()),
            ("AT".into(), at.path().into()),
            ("PACKAGE".into(), PACKAGE.into()),
        ];
        let (limit, slots) = (Duration::from_secs(3000), Arc::new(Semaphore::new(1)));
        let ours = Tools::from_environment();
        let tools = Tools { helm: "/bin/bash".into(), limit, environment, slots, ..ours };
        Self { at, tools, told, go }
    }

    async fn render(&self, chart: &HelmChart) -> Result<Rendered, String> {
        let rendered = chart.render(&Target::default(), &self.tools).await;
        rendered.map_err(|it| format!("{:#}", anyhow::Error::new(it)))
    }

    /// Where packages were pulled to, one by one.
    fn pulled(&self) -> Vec<PathBuf> {
        let pulled = fs::read_to_string(self.at.path().join("pulled")).unwrap_or_default();
        pulled.lines().map(PathBuf::from).collect()
    }

    /// The number of a script that waits by now.
    async fn told(&self) -> Pid {
        let (mut text, mut octet) = (String::new(), [0]);
        while !text.ends_with('\n') {
            self.told.readable().await.unwrap();
            if let Ok(1) = self.told.try_read(&mut octet) {
                text.push(char::from(octet[0]));
            }
        }
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    /// Has so many scripts go on that wait.
    fn go(&self, many: usize) {
        (&self.go).write_all("\n".repeat(many).as_bytes()).unwrap();
    }
}

fn chart(name: &str) -> HelmChart {
    let chart = ChartSource::Oci(format!("oci://registry.example/{name}"));
    let version = Some("1.2.3".to_owned());
    HelmChart { release: "web".to_owned(), chart, version, digest: None }
}

fn sha256(content: &str) -> String {
    let octets = digest(&SHA256, content.as_bytes());
    octets.as_ref().iter().fold("sha256:".to_owned(), |text, it| format!("{text}{it:02x}"))
}

/// Until this is dropped, time passes only by [`advance`]: a paused clock stands still while a thread works.
fn still() -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel::<()>();
    drop(spawn_blocking(move || receiver.recv()));
    sender
}

/// Waits by the world's clock: tokio's may stand still.
async fn until(mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE);
        yield_now().await;
    }
}

/// What comes to pass while the other goes on.
async fn meanwhile<T>(
    other: impl Future<Output = Result<Rendered, String>>,
    event: impl Future<Output = T>,
) -> T {
    let happened = async {
        tokio::select! {
            biased;
            ended = other => panic!("{ended:?}"),
            happened = event => happened,
        }
    };
    timeout(PATIENCE, happened).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_chart_is_pulled_once_within_some_minutes_for_all_who_want_it() {
    let (_still, stage, web) = (still(), Stage::new(PULL, TEMPLATE), chart("web"));
    for rendered in join_all([stage.render(&web), stage.render(&web)]).await {
        assert_eq!(rendered.unwrap().manifests[0].object.name(), "web");
    }
    advance(KEPT - Duration::from_secs(1)).await;
    stage.render(&web).await.unwrap();
    assert_eq!(stage.pulled().len(), 1);
    stage.render(&chart("other")).await.unwrap();
    let newer = HelmChart { version: Some("1.2.4".to_owned()), ..web.clone() };
    stage.render(&newer).await.unwrap();
    assert_eq!(stage.pulled().len(), 3, "they are others");

    advance(Duration::from_secs(2)).await;
    until(|| !stage.pulled()[0].exists()).await;
    assert!(stage.pulled()[1].exists(), "it is younger");
    stage.render(&web).await.unwrap();
    assert_eq!(stage.pulled().len(), 4);
    let directories = stage.pulled();
    drop(stage);
    for directory in directories {
        until(|| !directory.exists()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_package_stays_for_as_long_as_helm_reads_it() {
    let stage = Stage::new(PULL, &format!("{WAIT}{TEMPLATE}"));
    let (_still, web) = (still(), chart("web"));
    let mut rendering = Box::pin(stage.render(&web));
    meanwhile(&mut rendering, stage.told()).await;
    let directory = stage.pulled().remove(0);
    advance(KEPT * 2).await;
    assert_eq!(stage.tools.charts.keeping.lock().unwrap().len(), 1);
    until(|| stage.tools.charts.keeping.lock().unwrap().try_join_next().is_some()).await;
    assert!(directory.exists());
    stage.go(1);
    rendering.await.unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_pull_goes_on_when_the_first_who_wanted_it_is_gone() {
    let (stage, web) = (Stage::new(&format!("{WAIT}{PULL}"), TEMPLATE), chart("web"));
    let (mut first, mut second) = (Box::pin(stage.render(&web)), Box::pin(stage.render(&web)));
    meanwhile(&mut first, meanwhile(&mut second, stage.told())).await;
    drop(first);
    stage.go(1);
    second.await.unwrap();
    assert_eq!(stage.pulled().len(), 1);
}

#[tokio::test]
async fn a_pull_that_nobody_waits_for_is_killed() {
    let (stage, web) = (Stage::new(&format!("{PULL}{WAIT}"), TEMPLATE), chart("web"));
    let (mut first, mut second) = (Box::pin(stage.render(&web)), Box::pin(stage.render(&web)));
    let puller = meanwhile(&mut first, meanwhile(&mut second, stage.told())).await;
    drop((first, second));
    until(|| test_kill_process(puller).is_err()).await;
    assert!(!stage.pulled()[0].exists());
    stage.go(1);
    stage.render(&web).await.unwrap();
    assert_eq!(stage.pulled().len(), 2, "it is pulled anew");
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_wait_and_is_not_kept() {
    let fails = r#"[ -e "$AT/well" ] || { echo 'Error: no such chart' >&2; exit 1; }"#;
    let stage = Stage::new(&format!("{PULL}{WAIT}{fails}"), TEMPLATE);
    let web = chart("web");
    let message =
        "helm pull oci://registry.example/web failed (exit status 1): Error: no such chart";
    let (mut first, mut second) = (Box::pin(stage.render(&web)), Box::pin(stage.render(&web)));
    let mut late = Box::pin(stage.render(&web));
    meanwhile(&mut late, meanwhile(&mut first, meanwhile(&mut second, stage.told()))).await;
    stage.go(1);
    assert_eq!(first.await.unwrap_err(), message);
    assert_eq!(second.await.unwrap_err(), message);
    assert_eq!(stage.pulled().len(), 1);
    assert!(!stage.pulled()[0].exists());
    // That another has yet to hear of the failure keeps nobody from trying again.
    fs::write(stage.at.path().join("well"), "").unwrap();
    stage.go(1);
    stage.render(&web).await.unwrap();
    assert_eq!(late.await.unwrap_err(), message);
    assert_eq!(stage.pulled().len(), 2);
}

#[tokio::test]
async fn who_waits_for_a_registry_keeps_nobody_from_rendering() {
    let (stage, web) = (Stage::new(&format!("{WAIT}{PULL}"), TEMPLATE), chart("web"));
    let here = stage.at.path().join("here");
    fs::write(&here, PACKAGE).unwrap();
    let here = HelmChart { chart: ChartSource::Path(here), ..web.clone() };
    let names: Vec<HelmChart> = (0..=AT_ONCE).map(|it| chart(&format!("web-{it}"))).collect();
    let mut pulling = Box::pin(async {
        join_all(names.iter().map(|it| stage.render(it)))
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Rendered::default())
    });
    for _ in 0..AT_ONCE {
        meanwhile(&mut pulling, stage.told()).await;
    }
    assert_eq!(stage.tools.charts.turns.available_permits(), 0, "the last one waits");
    meanwhile(&mut pulling, stage.render(&here)).await.unwrap();
    assert_eq!(stage.pulled().len(), 0);
    stage.go(AT_ONCE + 1);
    pulling.await.unwrap();
    assert_eq!(stage.pulled().len(), AT_ONCE + 1);
}

#[tokio::test]
async fn what_is_kept_is_what_each_digest_is_of() {
    let (of_package, of_manifest, other) = (sha256(PACKAGE), sha256("manifest"), sha256("other"));
    let says = format!("echo 'Digest: {of_manifest}' >&2");
    let (stage, web) = (Stage::new(&format!("{PULL}{says}"), TEMPLATE), chart("web"));
    let wanted = |it: &String| HelmChart { digest: Some(it.parse().unwrap()), ..web.clone() };
    stage.render(&web).await.unwrap();
    for _ in 0..2 {
        stage.render(&wanted(&of_package)).await.unwrap();
        stage.render(&wanted(&of_manifest)).await.unwrap();
        assert_eq!(
            stage.render(&wanted(&other)).await.unwrap_err(),
            format!(
                "the chart oci://registry.example/web can't be rendered: it is not the one that is wanted: its digest is \
                 {of_manifest} (its manifest) and {of_package}, and not {other}"
            )
        );
    }
    assert_eq!(stage.pulled().len(), 5);
}
