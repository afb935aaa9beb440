//! One site: its objects, and who waits for what happens to them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kinds::{KINDS, NAMESPACE, NODE};
use crate::store::Store;

const NODES: usize = 3;

pub(crate) struct Site {
    number: usize,
    store: Mutex<Store>,
    version: watch::Sender<u64>,
}

impl Site {
    /// A site with nodes that are ready, and the namespaces that every cluster has.
    pub(crate) fn new(number: usize) -> Self {
        let mut store = Store::default();
        for node in 0..NODES {
            let name = format!("node-{node}");
            let spec = json!({"podCIDR": format!("10.{node}.0.0/24")});
            let mut object = made(NODE, &name, &uid(number, 100 + node), spec);
            let condition = json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"});
            object["status"] =
                json!({"conditions": [condition], "nodeInfo": {"kubeletVersion": "v1.36.3"}});
            store.put((NODE, String::new(), name), object);
        }
        for (index, name) in ["kube-system", "default", "kube-node-lease"].into_iter().enumerate() {
            let spec = json!({"finalizers": ["kubernetes"]});
            let mut object = made(NAMESPACE, name, &uid(number, index), spec);
            object["status"] = json!({"phase": "Active"});
            store.put((NAMESPACE, String::new(), name.to_owned()), object);
        }
        let version = watch::Sender::new(store.version());
        Self { number, store: Mutex::new(store), version }
    }

    /// The UID of its namespace `kube-system`.
    pub(crate) fn uid(&self) -> String {
        uid(self.number, 0)
    }

    /// A UID for what comes to be at this version of the store.
    pub(crate) fn new_uid(&self, version: u64) -> String {
        uid(self.number, usize::try_from(version).unwrap_or_default() + 1000)
    }

    /// Reads the objects.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the objects, and tells who watches.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let (done, version) = {
            let mut store = self.store();
            (change(&mut store), store.version())
        };
        self.version.send_if_modified(|it| std::mem::replace(it, version) != version);
        done
    }

    /// Tells of new versions of the store.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

fn made(kind: usize, name: &str, uid: &str, spec: Value) -> Value {
    json!({
        "apiVersion": KINDS[kind].api_version(),
        "kind": KINDS[kind].kind,
        "metadata": {"name": name, "uid": uid, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"kubernetes.io/metadata.name": name}},
        "spec": spec,
    })
}

fn uid(site: usize, number: usize) -> String {
    format!("{site:08x}-0000-4000-8000-{number:012x}")
}
