use clap::Args;

use crate::settings::{Flag, Inputs};

/// What the command line sets over the files and the environment.
#[derive(Args, Debug, Default)]
pub(super) struct Layers {
    /// Answer DNS here, as `server.listen`; may be given several times
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<String>,
    /// Serve the API and the metrics here, as `admin.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin_listen: Option<String>,
    /// Keep state in this directory, as `state.dir`
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,
    /// Set one key of a single table: `--set server.workers=4`; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

impl Layers {
    /// Over these files lies the process's environment, and over that these flags.
    pub(super) fn over(self, files: Vec<std::path::PathBuf>) -> Inputs {
        let listen = (!self.listen.is_empty()).then(|| self.listen.join(","));
        let named = [
            ("--listen", "server.listen", listen),
            ("--admin-listen", "admin.listen", self.admin_listen),
            ("--state-dir", "state.dir", self.state_dir),
        ];
        let named = named.into_iter().filter_map(|(flag, key, value)| {
            Some(Flag { flag: flag.to_owned(), key: key.to_owned(), value: value? })
        });
        let set = self.set.into_iter().map(|(key, value)| Flag {
            flag: format!("--set {key}"),
            key,
            value,
        });
        let flags = named.chain(set).collect();
        Inputs { files, environment: std::env::vars_os().collect(), flags, in_force: None }
    }
}

fn assignment(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as server.workers=4")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
