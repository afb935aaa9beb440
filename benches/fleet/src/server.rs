//! Answering requests.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::discovery::Discovery;
use crate::kinds::KINDS;
use crate::patch;
use crate::path::Place;
use crate::selector::Selector;
use crate::site::Site;
use crate::store::Stored;
use crate::watch::Watch;
use crate::write::{self, Failure, Writer};

/// What an answer has in it.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

const JSON: &str = "application/json";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// What all sites have in common.
pub(crate) struct World {
    latency: Duration,
    discovery: Discovery,
    pub(crate) counts: Counts,
}

/// How often something was asked for.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) watches: AtomicU64,
    pub(crate) dry_runs: AtomicU64,
    /// What wrote something, or would have if it had been new.
    pub(crate) writes: AtomicU64,
    /// Writes of Leases, which aren't among the others.
    pub(crate) leases: AtomicU64,
}

/// A request's query.
struct Query(Vec<(String, String)>);

impl World {
    pub(crate) fn new(latency: Duration, is_old: bool) -> Self {
        Self { latency, discovery: Discovery::new(is_old), counts: Counts::default() }
    }
}

/// Answers requests to a site.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>, site: Arc<Site>) -> Result<()> {
    answer_all(listener, move |request| answer(Arc::clone(&world), Arc::clone(&site), request))
        .await
}

/// Answers requests at an address, each by this function.
pub(crate) async fn answer_all<F>(
    listener: TcpListener,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) -> Result<()>
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            Some(_) = connections.join_next() => continue,
        };
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        connections.spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new());
            // Who goes away in the middle of it has its reasons.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(world: Arc<World>, site: Arc<Site>, request: Request<Incoming>) -> Response<Body> {
    if !world.latency.is_zero() {
        sleep(world.latency).await;
    }
    world.counts.requests.fetch_add(1, Ordering::Relaxed);
    respond(&world, &site, request).await.unwrap_or_else(|it| failure(&it))
}

async fn respond(
    world: &World,
    site: &Arc<Site>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let query = Query::of(request.uri().query().unwrap_or_default());
    let path = request.uri().path().to_owned();
    let header = |name: header::HeaderName| {
        let value = request.headers().get(name).and_then(|it| it.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (accept, content_type) = (header(header::ACCEPT), header(header::CONTENT_TYPE));
    let agent = header(header::USER_AGENT);
    let method = request.method().clone();
    if method == Method::GET
        && let Some(told) = about(world, &path, &accept)
    {
        return Ok(json_response(200, told.0, told.1));
    }
    let body = async {
        let bytes = request.into_body().collect().await;
        let bytes = bytes.map_err(|it| Failure::new(400, "BadRequest", it.to_string()))?.to_bytes();
        match bytes.is_empty() {
            true => Ok(Value::Null),
            false => serde_json::from_slice(&bytes)
                .map_err(|it| Failure::new(400, "BadRequest", it.to_string())),
        }
    };
    if path == REVIEWS {
        let mut review: Value = body.await?;
        review["status"] = json!({"allowed": true});
        return Ok(json_response(201, review.to_string().into(), JSON));
    }
    let place = Place::of(&path);
    let place = place.ok_or_else(|| Failure::new(404, "NotFound", "404 page not found"))?;
    let is_partial = accept.contains("as=PartialObjectMetadata");
    if method == Method::GET {
        return match &place.name {
            Some(_) => one(site, &place, is_partial),
            None if ["1", "true"].contains(&query.get("watch")) => {
                world.counts.watches.fetch_add(1, Ordering::Relaxed);
                Ok(watch(site, place, is_partial, &query))
            }
            None => Ok(list(site, &place, is_partial, &query)),
        };
    }
    let manager = match query.get("fieldManager") {
        "" => agent.split('/').next().unwrap_or_default(),
        manager => manager,
    };
    let dry_run = query.get("dryRun") == "All";
    let writer = Writer { manager, force: query.get("force") == "true", dry_run };
    let counts = &world.counts;
    match (dry_run, KINDS[place.kind].kind) {
        (true, _) => &counts.dry_runs,
        (false, "Lease") => &counts.leases,
        (false, _) => &counts.writes,
    }
    .fetch_add(1, Ordering::Relaxed);
    let body: Value = body.await?;
    let (is_new, object) = match method {
        Method::POST => write::create(site, &place, body, writer)?,
        Method::PUT => write::change(site, &place, writer, |it| {
            *it = body;
            Ok(())
        })?,
        Method::PATCH => match content_type.split(';').next().unwrap_or_default() {
            "application/apply-patch+yaml" => write::apply(site, &place, body, writer)?,
            "application/json-patch+json" => {
                write::change(site, &place, writer, |it| patch::operations(it, &body))?
            }
            "application/merge-patch+json" => write::change(site, &place, writer, |it| {
                patch::merge(it, &body);
                Ok(())
            })?,
            _ => return Err(Failure::new(415, "UnsupportedMediaType", content_type)),
        },
        Method::DELETE => {
            write::delete(site, &place, &body, dry_run)?;
            let done =
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
            return Ok(json_response(200, done.to_string().into(), JSON));
        }
        _ => return Err(Failure::new(405, "MethodNotAllowed", "that is not done here")),
    };
    Ok(json_response(if is_new { 201 } else { 200 }, object.bytes.clone(), JSON))
}

/// What a server says of itself.
fn about(world: &World, path: &str, accept: &str) -> Option<(Bytes, &'static str)> {
    match path {
        "/version" => {
            let (version, minor) = world.discovery.version();
            let told = json!({"major": "1", "minor": minor, "gitVersion": version, "platform": "linux/amd64"});
            Some((told.to_string().into(), JSON))
        }
        "/readyz" | "/livez" | "/healthz" => Some((Bytes::from_static(b"ok"), "text/plain")),
        path => world.discovery.at(path, accept),
    }
}

fn one(site: &Site, place: &Place, is_partial: bool) -> Result<Response<Body>, Failure> {
    let (namespace, name) = (place.namespace.clone(), place.name.clone());
    let key = (place.kind, namespace.unwrap_or_default(), name.unwrap_or_default());
    let found = site.store().get(&key).cloned().ok_or_else(|| Failure::missing(place))?;
    Ok(json_response(200, shown(&found, is_partial), JSON))
}

fn shown(stored: &Stored, is_partial: bool) -> Bytes {
    if is_partial { stored.partial().clone() } else { stored.bytes.clone() }
}

fn list(site: &Site, place: &Place, is_partial: bool, query: &Query) -> Response<Body> {
    let kind = &KINDS[place.kind];
    let most = query.get("limit").parse().ok().filter(|it| *it > 0).unwrap_or(usize::MAX);
    let from = Some(query.get("continue")).filter(|it| !it.is_empty());
    let store = site.store();
    let namespace = place.namespace.as_deref();
    let page = store.page(place.kind, namespace, &query.selector(), most, from);
    let (kind, api_version) = match is_partial {
        true => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        false => (format!("{}List", kind.kind), kind.api_version()),
    };
    let mut metadata = json!({"resourceVersion": store.version().to_string()});
    drop(store);
    if let Some(next) = page.next {
        metadata["continue"] = next.into();
    }
    let head = format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":["
    );
    let mut text = head.into_bytes();
    for (index, object) in page.objects.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&shown(object, is_partial));
    }
    text.extend_from_slice(b"]}");
    json_response(200, text.into(), JSON)
}

fn watch(site: &Arc<Site>, place: Place, is_partial: bool, query: &Query) -> Response<Body> {
    let watch = Watch {
        site: Arc::clone(site),
        place,
        selector: query.selector(),
        is_partial,
        bookmarks: query.get("allowWatchBookmarks") == "true",
        initial: query.get("sendInitialEvents") == "true",
        seen: query.get("resourceVersion").parse().ok().filter(|it| *it > 0),
        timeout: Duration::from_secs(query.get("timeoutSeconds").parse().unwrap_or(1800)),
    };
    response(200, watch.body(), JSON)
}

fn failure(failure: &Failure) -> Response<Body> {
    let cause = |(field, whose): &(String, String)| json!({"reason": "FieldManagerConflict", "message": whose, "field": field});
    let causes: Vec<Value> = failure.conflicts.iter().map(cause).collect();
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": failure.message, "reason": failure.reason, "code": failure.code, "details": {"causes": causes},
    });
    json_response(failure.code, status.to_string().into(), JSON)
}

pub(crate) fn json_response(code: u16, body: Bytes, content_type: &'static str) -> Response<Body> {
    response(code, Full::new(body).boxed_unsync(), content_type)
}

fn response(code: u16, body: Body, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    let value = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

impl Query {
    fn of(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// A value; empty where there is none.
    fn get(&self, key: &str) -> &str {
        self.0.iter().find(|it| it.0 == key).map_or("", |it| it.1.as_str())
    }

    fn selector(&self) -> Selector {
        Selector::new(self.get("labelSelector"), self.get("fieldSelector"))
    }
}
