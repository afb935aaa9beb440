use std::path::Path;

use prometheus::Registry;

use super::*;
use crate::fleet::spec::Description;
use crate::settings;

/// The endpoint of a site whose cluster can't be reached.
fn source() -> Source {
    let fleet = "
        sites:
        - name: sea
          cluster: { kubeconfig: /nonexistent/kubeconfig }
          endpoint: { profile: app.z., name: sea, from: { service: edge/web, port: 80 } }
    ";
    let described = Description::parse(Path::new("fleet.yaml"), fleet).unwrap();
    let Description::Whole(described) = described else { panic!("{described:?}") };
    let site = described.fleet.sites.into_iter().next().unwrap();
    let endpoint = site.endpoint.clone().unwrap();
    let key = EndpointKey { profile: endpoint.profile, endpoint: endpoint.name };
    Source { key, site, from: endpoint.from, workload: None }
}

/// Discovery at work.
struct Bench {
    sources: watch::Sender<Option<Arc<[Source]>>>,
    wanted: watch::Sender<Wanted>,
    registry: Registry,
    stop: CancellationToken,
    task: JoinSet<()>,
    _listener: mpsc::Receiver<Locator>,
}

impl Bench {
    /// One to which nobody has said anything for a while.
    async fn start() -> Self {
        let (sources, sources_now) = watch::channel(Some(Arc::default()));
        let servers = settings::Resolver { servers: Vec::new(), timeout: Duration::from_secs(2) };
        let (wanted, wanted_now) =
            watch::channel(Wanted { names: Vec::new(), discovered: Vec::new(), servers });
        let (changes, listener) = mpsc::channel(8);
        let (registry, stop) = (Registry::new(), CancellationToken::new());
        let metrics = DiscoveryMetrics::register(&registry).unwrap();
        let discovery = Discovery::new(Clock::start(), sources_now, wanted_now, changes, metrics);
        let mut task = JoinSet::new();
        task.spawn(discovery.run(stop.clone()));
        sleep(Duration::from_secs(60)).await;
        Self { sources, wanted, registry, stop, task, _listener: listener }
    }

    /// Has an endpoint be wanted, and nothing else. Gives what becomes known of it.
    fn want(&self, key: &EndpointKey) -> Arc<Resolved> {
        let record = Arc::new(Resolved::default());
        self.wanted.send_modify(|it| it.discovered = vec![(key.clone(), record.clone())]);
        record
    }

    /// The sites with which endpoints are told to be stale.
    fn stale(&self) -> Vec<String> {
        let families = self.registry.gather();
        let stale = families.iter().filter(|it| it.name() == "farol_fleet_discovery_stale");
        let labels = stale.flat_map(|it| it.get_metric()).flat_map(|it| it.get_label());
        labels.filter(|it| it.name() == "site").map(|it| it.value().to_owned()).collect()
    }

    async fn end(mut self) {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
    }
}

fn trouble(record: &Resolved) -> String {
    record.latest().trouble.map_or_else(String::new, |it| it.reason.to_string())
}

/// What is wrong with an endpoint's addresses, a time after its configuration and a while after its description, which came then.
async fn troubles(pause: Duration) -> [String; 2] {
    let (source, bench) = (source(), Bench::start().await);
    // What has nothing to do with it makes it no shorter.
    bench.sources.send_replace(Some(Arc::default()));
    sleep(Duration::from_millis(900)).await;
    let record = bench.want(&source.key);
    sleep(pause).await;
    let before = trouble(&record);
    bench.sources.send_replace(Some(vec![source].into()));
    // The test awaits what its watcher finds.
    sleep(Duration::from_secs(5)).await;
    let after = trouble(&record);
    bench.end().await;
    [before, after]
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_described_a_moment_later_was_never_without() {
    let [before, after] = troubles(Duration::from_millis(500)).await;
    assert_eq!(before, "");
    assert!(after.contains("/nonexistent/kubeconfig"), "{after}");
    let [before, after] = troubles(Duration::from_millis(1500)).await;
    assert_eq!(before, UNDESCRIBED);
    assert!(after.contains("/nonexistent/kubeconfig"), "{after}");
}

#[tokio::test(start_paused = true)]
async fn what_was_told_of_an_endpoint_without_a_description_is_over_with_one() {
    let (source, bench) = (source(), Bench::start().await);
    bench.want(&source.key);
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(bench.stale(), [""]);
    // It is configured anew, so it isn't told yet that it is without a description still.
    let record = bench.want(&source.key);
    sleep(Duration::from_millis(500)).await;
    assert_eq!((trouble(&record), bench.stale()), (String::new(), vec![String::new()]));
    bench.sources.send_replace(Some(vec![source].into()));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.stale(), ["sea"]);
    bench.end().await;
}
