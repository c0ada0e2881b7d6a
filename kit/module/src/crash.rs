//! Named steps at which a proof has the process die, as in a power cut: at once, without a word, with nothing put in order. What is
//! promised for a crash at any moment can then be tried at exactly the moments that matter. Nothing dies unless a step is named.

use std::sync::OnceLock;

static DIES_AT: OnceLock<String> = OnceLock::new();

/// From now on this process dies when it passes the step of this name.
pub fn dies_at(step: &str) {
    // Named once, when the process starts.
    let _named_before = DIES_AT.set(step.to_owned());
}

/// Something passes a step of an effect: `wanted` (stored, not asked yet), `answered` (done outside, not stored here), `stored`.
pub fn passes(service: &str, effect: &str, moment: &str) {
    let Some(named) = DIES_AT.get() else { return };
    if named.split('.').eq([service, effect, moment]) {
        std::process::abort();
    }
}
