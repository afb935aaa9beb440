//! The dashboard's files, which are in `assets/`.

macro_rules! assets {
    ($($name:literal,)*) => {
        &[$(($name, include_bytes!(concat!("assets/", $name)))),*]
    };
}

/// The file that is the page.
pub(super) const PAGE: &str = "index.html";

/// Every file, with its name and content.
pub(super) const ASSETS: &[(&str, &[u8])] = assets![
    "api.js",
    "app.css",
    "attention.js",
    "audit.js",
    "dialog.js",
    "dom.js",
    "endpoint.js",
    "explain.js",
    "fleet-parts.js",
    "fleet-site.js",
    "fleet.js",
    "format.js",
    "history.js",
    "icon.svg",
    "index.html",
    "live.js",
    "main.js",
    "moves.js",
    "overview.js",
    "pending.js",
    "plan.js",
    "profile.js",
    "profiles.js",
    "rates.js",
    "route.js",
    "shares.js",
    "shell.js",
    "signin.js",
    "sites.js",
    "theme.js",
    "timeline.js",
    "update.js",
    "weights.js",
];
