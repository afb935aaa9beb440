use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::companion::fits_fleet;
use super::layers::Layers;
use super::output::count;
use super::{complain, say};

/// Check configuration files and say everything that is wrong with them
///
/// Reads files, `FAROL__…` variables and flags as `farol serve` would, the fleet's description too, and starts nothing. Exits with 0 if they are right, with 1 if not.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Configuration files in TOML, YAML or JSON, or directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    layers: Layers,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let loaded = crate::settings::load(&self.layers.over(self.paths));
        match loaded.and_then(fits_fleet) {
            Ok(settings) => {
                settings.warnings.iter().for_each(|it| complain(&format!("warning: {it}")));
                let database = settings.model.geography.database_file.as_ref();
                if let Some(error) = database.and_then(|it| it.error.as_ref()) {
                    complain(error);
                    return Ok(ExitCode::FAILURE);
                }
                let (model, files) = (&settings.model, settings.files.len());
                let endpoints: usize = model.profiles.iter().map(|it| it.endpoints.len()).sum();
                say(&format!(
                    "ok: {}, {}, {}, {} in {}",
                    count(model.zones.len(), "zone"),
                    count(model.sites.len(), "site"),
                    count(model.profiles.len(), "profile"),
                    count(endpoints, "endpoint"),
                    count(files, "file"),
                ))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(problems) => {
                complain(&problems.to_string());
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
