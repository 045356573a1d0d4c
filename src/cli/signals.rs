//! Ctrl-C and SIGTERM.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::interrupt::{EndSignal, Interrupt};

use super::{Exit, Failure, output};

/// What listens for signals: the first raises the interrupt, so that what was found is reported; the
/// second ends this process at once, with a last word.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    /// Raised by the first signal.
    pub(super) interrupt: Interrupt,
    found: Arc<Mutex<Option<String>>>,
}

impl Listening {
    /// A violation was found, and this is where it can be seen: even what ends this process at once
    /// tells it and exits with 1.
    pub(super) fn found(&self, what: String) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *found = Some(what);
    }
}

/// Begins to listen.
///
/// # Errors
///
/// When the machine refuses.
pub(super) fn listen() -> Result<Listening, Failure> {
    let refused = |error| Failure::machine(format!("failed to listen for Ctrl-C: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
    let listening = Listening {
        interrupt: Interrupt::default(),
        found: Arc::default(),
    };
    let here = listening.clone();
    let listener = move || {
        for number in signals.forever() {
            let signal = if number == SIGTERM {
                EndSignal::Terminate
            } else {
                EndSignal::Interrupt
            };
            if here.interrupt.is_raised() {
                here.end_at_once(signal);
            }
            here.interrupt.raise(signal);
            let name = signal.name();
            output::tell(&format!(
                "\n{name}: ending, what was found so far follows; once more ends at once"
            ));
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listener)
        .map_err(refused)?;
    Ok(listening)
}

impl Listening {
    fn end_at_once(&self, signal: EndSignal) -> ! {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let exit = if let Some(found) = &*found {
            output::tell(&format!("\nended at once; {found}"));
            Exit::Violation
        } else {
            output::tell("\nended at once, without a report");
            Exit::Interrupted(signal)
        };
        std::process::exit(exit.code().into());
    }
}
