use clap::Args;

/// How a change may be undone by itself.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct UndoOptions {
    /// Undo it by itself, unless it is confirmed within this time, like 5m
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) confirm_within: Option<String>,
    /// Undo it by itself as soon as health gets worse, until it is confirmed or for 10 minutes
    #[arg(long)]
    pub(in crate::cli) undo_if_worse: bool,
}

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
