use clap::Args;

/// What comes beside every change.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ChangeOptions {
    /// Why, for those who come after
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
    /// Only tell what would come of it
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Pass over the guardrails that don't allow it, for this reason; takes an admin's token
    #[arg(long, value_name = "REASON")]
    pub(in crate::cli) override_guardrail: Option<String>,
}
