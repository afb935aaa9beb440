//! Kustomizations, by kubectl or by kustomize itself.

use std::path::{Path, PathBuf};

use super::mask::Mask;
use super::program::Run;
use super::tools::{ProgramError, Tool, Tools};
use super::yaml::rendered;
use super::{Render, RenderError, Rendered, Target};

/// A directory with a kustomization in it. `kubectl kustomize` renders it, or `kustomize build` where there is no kubectl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kustomize(pub PathBuf);

impl Render for Kustomize {
    async fn render(&self, target: &Target, tools: &Tools) -> Result<Rendered, RenderError> {
        // Programs run elsewhere; and a name that looked like a URL would be fetched.
        let directory = std::path::absolute(&self.0).map_err(|source| RenderError::Scratch {
            doing: format!("find out where `{}` is", self.0.display()),
            source,
        })?;
        let mask = Mask::of(target);
        let mut missing = Vec::new();
        for (tool, verb) in [(Tool::Kubectl, "kustomize"), (Tool::Kustomize, "build")] {
            let doing = format!("{tool} {verb} {}", self.0.display());
            match run(tool, verb, &directory, &doing, &mask, tools).await {
                Err(ProgramError::Missing(it)) => missing.extend(it),
                Err(error) => return Err(error.into()),
                Ok(text) => {
                    let manifests = rendered(text, doing).await?;
                    return Ok(Rendered { manifests, skipped: Vec::new() });
                }
            }
        }
        Err(ProgramError::Missing(missing).into())
    }
}

async fn run(
    tool: Tool,
    verb: &str,
    directory: &Path,
    doing: &str,
    mask: &Mask,
    tools: &Tools,
) -> Result<String, ProgramError> {
    let arguments = vec![verb.into(), directory.into()];
    Ok(Run { tool, arguments, input: None, doing, mask }.run(tools).await?.output)
}
