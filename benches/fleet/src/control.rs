//! What the one who measures asks: how often something was asked for, and that an object is changed by hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use http::{Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::path::Place;
use crate::server::{Body, World, answer_all, json_response};
use crate::site::Site;
use crate::write::{Writer, change};

/// Answers `GET /counts` and `POST /scale?site=0&namespace=…&name=…&replicas=…`.
pub(crate) async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    sites: Vec<Arc<Site>>,
) -> Result<()> {
    let sites = Arc::new(sites);
    answer_all(listener, move |request| {
        let (world, sites) = (Arc::clone(&world), Arc::clone(&sites));
        async move { answer(&world, &sites, &request) }
    })
    .await
}

fn answer(world: &World, sites: &[Arc<Site>], request: &Request<Incoming>) -> Response<Body> {
    let told = match request.uri().path() {
        "/counts" => Ok(counts(world)),
        "/scale" => scale(sites, request.uri().query().unwrap_or_default()),
        _ => Err(anyhow::anyhow!("there is nothing here")),
    };
    let (code, told) = match told {
        Ok(told) => (200, told),
        Err(error) => (400, json!({"error": format!("{error:#}")})),
    };
    json_response(code, told.to_string().into(), "application/json")
}

fn counts(world: &World) -> Value {
    let count = |it: &AtomicU64| it.load(Ordering::Relaxed);
    let counts = &world.counts;
    json!({
        "requests": count(&counts.requests),
        "watches": count(&counts.watches),
        "dry_runs": count(&counts.dry_runs),
        "writes": count(&counts.writes),
        "leases": count(&counts.leases),
    })
}

/// Does what `kubectl scale` does to a Deployment. Tells when, in seconds since 1970.
fn scale(sites: &[Arc<Site>], query: &str) -> Result<Value> {
    let pairs: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let text = |key: &str| pairs.get(key).with_context(|| format!("{key} is missing"));
    let replicas: u32 = text("replicas")?.parse().context("replicas")?;
    let site = sites.get(text("site")?.parse::<usize>().context("site")?);
    let path = format!(
        "/apis/apps/v1/namespaces/{}/deployments/{}/scale",
        text("namespace")?,
        text("name")?
    );
    let (site, place) = (site.context("there is no such site")?, Place::of(&path));
    let writer = Writer { manager: "kubectl", force: false, dry_run: false };
    let place = place.context("there is no such Deployment")?;
    let at = Timestamp::now();
    let changed = change(site, &place, writer, |it| {
        it["spec"]["replicas"] = replicas.into();
        Ok(())
    });
    changed.map_err(|it| anyhow::anyhow!(it.message))?;
    Ok(json!({"at": at.as_nanosecond() as f64 / 1e9}))
}
