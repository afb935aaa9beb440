use crate::settings::Settings;

/// What a reload changes beyond what is known: the sockets, for one. Whoever wires the rooms together gives it to control, which
/// calls in this order, and never waits for it long.
pub trait Surroundings: Send {
    /// A reload begins.
    fn begin(&mut self);

    /// Gets whatever these settings need that may be refused, and changes nothing yet. What an earlier call got is given up.
    ///
    /// # Errors
    /// What can't be had, and what to do about it.
    fn prepare(&mut self, settings: &Settings) -> Result<(), String>;

    /// Puts in force what was prepared. The configuration is already.
    fn commit(&mut self, settings: &Settings);

    /// The reload is over; `taken` or what runs was kept.
    fn end(&mut self, taken: bool);
}
