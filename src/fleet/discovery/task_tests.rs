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

/// What is wrong with an endpoint's addresses, a time after its configuration and a while before its description.
async fn trouble(pause: Duration) -> Vec<String> {
    let (source, record) = (source(), Arc::new(Resolved::default()));
    let (sources, sources_now) = watch::channel(Some(Arc::default()));
    let servers = settings::Resolver { servers: Vec::new(), timeout: Duration::from_secs(2) };
    let nothing = Wanted { names: Vec::new(), discovered: Vec::new(), servers };
    let (wanted, wanted_now) = watch::channel(nothing);
    let (changes, _listener) = mpsc::channel(8);
    let metrics = DiscoveryMetrics::register(&Registry::new()).unwrap();
    let discovery = Discovery::new(Clock::start(), sources_now, wanted_now, changes, metrics);
    let stop = CancellationToken::new();
    let mut task = JoinSet::new();
    task.spawn(discovery.run(stop.clone()));
    sleep(Duration::from_secs(60)).await;
    // What has nothing to do with it makes it no shorter.
    sources.send_replace(Some(Arc::default()));
    sleep(Duration::from_millis(900)).await;
    let mut told = Vec::new();
    let mut look = async |milliseconds: u64| {
        sleep(Duration::from_millis(milliseconds)).await;
        told.push(record.latest().trouble.map_or_else(String::new, |it| it.reason.to_string()));
    };
    wanted.send_modify(|it| it.discovered.push((source.key.clone(), record.clone())));
    look(u64::try_from(pause.as_millis()).unwrap()).await;
    sources.send_replace(Some(vec![source].into()));
    // The test awaits what its watcher finds.
    look(5000).await;
    stop.cancel();
    task.join_all().await;
    told
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_described_a_moment_later_was_never_without() {
    let [before, after] = trouble(Duration::from_millis(500)).await.try_into().unwrap();
    assert_eq!(before, "");
    assert!(after.contains("/nonexistent/kubeconfig"), "{after}");
    let [before, after] = trouble(Duration::from_millis(1500)).await.try_into().unwrap();
    assert_eq!(before, UNDESCRIBED);
    assert!(after.contains("/nonexistent/kubeconfig"), "{after}");
}
