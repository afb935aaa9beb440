//! The dashboard's files, which are in `assets/`.

macro_rules! assets {
    ($($name:literal,)*) => {
        &[$(($name, include_bytes!(concat!("assets/", $name)))),*]
    };
}

/// The file that is the page.
pub(super) const PAGE: &str = "index.html";

/// Every file, with its name and content.
pub(super) const ASSETS: &[(&str, &[u8])] = assets!["app.css", "index.html", "main.js",];
